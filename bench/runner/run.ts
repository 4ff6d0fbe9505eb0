// `npm run bench [-- <table or package>…] [--quick]`: runs the tables under bench/tables and writes results/<package>/<table>.{json,md,svg}
// (a quick run: results/quick/…, which is not committed).
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { machine } from './machine.ts';
import { plot } from './plot.ts';
import { markdown, reportOf } from './report.ts';
import type { Table } from './table.ts';

const bench = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const quick = process.argv.includes('--quick');
const out = join(bench, 'results', ...(quick ? ['quick'] : []));

const names = (await readdir(join(bench, 'tables'), { recursive: true }))
  .filter((file) => /^[\w-]+\/[\w-]+\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ''))
  .sort();
const chosen = wanted.length === 0 ? names : names.filter((name) => wanted.some((word) => name.startsWith(word)));
if (chosen.length === 0) {
  console.error(`no table is named ${wanted.join(', ')}; there are: ${names.join(', ')}`);
  process.exit(1);
}

const facts = machine(bench);
const failed: string[] = [];
for (const [n, name] of chosen.entries()) {
  const started = performance.now();
  const elapsed = () => `${Math.round((performance.now() - started) / 1000)} s`;
  console.log(`[${n + 1}/${chosen.length}] ${name}`);
  const scratch = join(bench, '.scratch');
  await mkdir(scratch, { recursive: true });
  const dir = await mkdtemp(join(scratch, `${name.replace('/', '-')}-`));
  try {
    const { table } = (await import(pathToFileURL(join(bench, 'tables', `${name}.ts`)).href)) as { table: Table };
    if (table.name !== name) throw new Error(`the table in ${name}.ts calls itself ${table.name}`);
    const outcome = await table.run({ quick, dir, log: (line) => console.log(`    ${elapsed()}: ${line}`) });
    const seconds = Math.round((performance.now() - started) / 1000);
    const report = reportOf(table, outcome, { measuredAt: new Date().toISOString(), seconds, quick, machine: facts });
    const base = join(out, name);
    await mkdir(dirname(base), { recursive: true });
    await writeFile(`${base}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(`${base}.md`, markdown(report));
    await writeFile(`${base}.svg`, plot(report));
    console.log(markdown(report));
  } catch (error) {
    failed.push(name);
    console.error(`    failed after ${elapsed()}:`, error);
  } finally {
    if (existsSync(dir)) await rm(dir, { recursive: true, force: true });
  }
}
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
