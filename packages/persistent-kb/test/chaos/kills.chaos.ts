import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ChaosOptions,
  type ChaosReport,
  cacheDir,
  needs,
  runProcess,
  startMongod,
  tempDir,
} from '@holdfast/testkit';
import { build } from 'tsup';
import { fileStore, type Kb, type KbStore, openKb } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { seeded } from '../fixtures/seeded.js';

export const part = 'persistent-kb/kills';

const KILLS_EACH = 100;

/** kill -9 of a writing process, at least 100 times on each store as far as the time reaches. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const began = performance.now();
  const share = seconds / (needs('mongod') ? 2 : 1);
  const onFiles = await killWriters({ store: 'file', kills: KILLS_EACH, seconds: share, seed, log });
  if (!needs('mongod')) return onFiles;
  const left = seconds - (performance.now() - began) / 1000;
  const onMongo = await killWriters({ store: 'mongodb', kills: KILLS_EACH, seconds: left, seed, log });
  return {
    runs: onFiles.runs + onMongo.runs,
    violations: [...onFiles.violations, ...onMongo.violations],
    facts: { ...onFiles.facts, ...onMongo.facts },
  };
}

interface Killing extends ChaosOptions {
  store: 'file' | 'mongodb';
  kills: number;
}

/** Kills a writer at a random moment again and again; after each kill opens what it left and holds it against what it had told. */
export async function killWriters({ store, kills, seconds, seed, log }: Killing): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const random = seeded(seed);
  await using folder = await tempDir('kb-kills');
  const mongod = store === 'mongodb' ? await startMongod({ replSet: true }) : undefined;
  const place = mongod?.uriFor('kills') ?? join(folder.path, 'kb');
  const open = (): Promise<Kb> => openKb({ store: storeAt(place) });
  const writer = await bundleWriter();
  const start = () => runProcess(process.execPath, [writer, place]);
  const violations: string[] = [];
  const acked = new Map<string, number>();
  const deleted = new Set<string>();
  let lost = 0;
  let done = 0;
  let acknowledged = 0;
  try {
    // The next writer starts while the last one's place is judged: it opens only once it is told to.
    let next = start();
    while (done < kills && performance.now() < until - 2_000) {
      await using child = next;
      await child.waitFor('waiting', 60_000);
      child.write('go\n');
      await child.waitFor('acked', 60_000);
      await new Promise((resolve) => setTimeout(resolve, random() * 150));
      await child.kill();
      done++;
      next = start();
      for (const [, id, rev] of child.stdout.matchAll(/^acked (\S+) (\d+)\n/gm)) {
        acked.set(id!, Number(rev));
        acknowledged++;
      }
      // A deletion that was on its way may have been made or not; one that was acknowledged was.
      for (const [, id] of child.stdout.matchAll(/^deleting (\S+)\n/gm)) acked.delete(id!);
      for (const [, id] of child.stdout.matchAll(/^deleted (\S+)\n/gm)) deleted.add(id!);
      const kb = await open();
      const risen = [...deleted].filter((id) => kb.get(id) !== undefined);
      for (const id of risen) violations.push(`${store}, kill ${done}: ${id} was deleted and is back`);
      const missing = [...acked].filter(([id, rev]) => (kb.get(id)?.rev ?? 0) < rev);
      lost += missing.length;
      for (const [id, rev] of missing) violations.push(`${store}, kill ${done}: ${id} at revision ${rev} is lost`);
      await indexed(kb);
      const report = await kb.verify();
      if (!report.ok) violations.push(`${store}, kill ${done}: ${report.faults.slice(0, 3).join('; ')}`);
      await kb.close();
      if (done % 20 === 0) log(`${store}: ${done} kills, ${acknowledged} acknowledged, ${lost} lost`);
    }
    await next.kill();
  } finally {
    await mongod?.[Symbol.asyncDispose]();
    await rm(dirname(writer), { recursive: true, force: true });
  }
  const facts = { [`${store} kills`]: done, [`${store} acknowledged`]: acknowledged, [`${store} lost`]: lost };
  return { runs: done, violations, facts };
}

/** The writer as one plain file, which starts ten times faster than its sources: two hundred starts are to fit in minutes. */
async function bundleWriter(): Promise<string> {
  const outDir = join(cacheDir(), `kb-writer-${process.pid}`);
  await build({
    ...{
      entry: [fileURLToPath(new URL('../fixtures/writer.ts', import.meta.url))],
      outDir,
      clean: true,
      config: false,
    },
    ...{
      format: ['esm'],
      platform: 'node',
      target: 'node20.19',
      dts: false,
      silent: true,
      noExternal: [/^@holdfast\//],
      external: ['mongodb', /minisearch/, 'proper-lockfile'],
    },
    tsconfig: fileURLToPath(new URL('../../../../tsconfig.json', import.meta.url)),
  });
  return join(outDir, 'writer.js');
}

function storeAt(place: string): KbStore {
  return place.startsWith('mongodb') ? mongoStore({ uri: place }) : fileStore({ dir: place });
}

/** The text index is compared too, so it must have been built: the comparison is with the data, as a rebuild's would be. */
async function indexed(kb: Kb): Promise<void> {
  while (kb.health().textIndex.state !== 'ready') await new Promise((resolve) => setImmediate(resolve));
}
