import { createReadStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';
import { type Entry, fileStore, openKb } from '@holdfast/persistent-kb';
import { interleave } from '../../runner/statistics.ts';
import type { Row, Table, Target } from '../../runner/table.ts';
import { entries } from './peers/entries.ts';
import { peers, sqliteMissing } from './peers/peers.ts';

const OURS = 'holdfast openKb';
const PLAIN = 'a plain loop over the same lines';

export const table: Table = {
  name: 'persistent-kb/boot',
  title: 'Boot: from the disk to every entry in memory',
  about:
    'From opening the folder or file to every entry in a Map, for holdfast and the plain loop with sets by tag and by category too. The plain loop reads ' +
    'the lines that holdfast wrote, checks each one’s CRC, parses it and fills Map and sets; it does nothing else. The text index is built behind, ' +
    'in slices: its row counts from the start of opening.',
  columns: [{ name: 'boot', unit: 'ms', better: 'lower' }],
  async run({ quick, dir, log }) {
    const rows: Row[] = [];
    const targets: Target[] = [];
    for (const count of quick ? [2_000, 10_000] : [10_000, 100_000]) {
      const home = join(dir, String(count));
      await mkdir(home);
      const used = peers;
      for (const peer of used) {
        const opened = await peer.open(home);
        const batch: Entry[] = [];
        for (const entry of entries(count)) {
          batch.push(entry);
          if (batch.length === 2_000) await opened.fill(batch.splice(0));
        }
        if (batch.length > 0) await opened.fill(batch);
        await opened.close();
      }
      log(`${count} entries written by each`);
      const folder = join(home, 'holdfast');
      const checked = (found: number, began: number): number => {
        if (found !== count) throw new Error(`${found} of ${count} entries`);
        return performance.now() - began;
      };
      const cases: Record<string, () => Promise<number>> = {
        [OURS]: async () => {
          globalThis.gc?.();
          const began = performance.now();
          const kb = await openKb({ store: fileStore({ dir: folder }) });
          const ms = checked(kb.stats().entries, began);
          await kb.close();
          return ms;
        },
        'holdfast, text index complete': async () => {
          globalThis.gc?.();
          const began = performance.now();
          let done = (): void => {};
          const indexed = new Promise<void>((resolve) => {
            done = resolve;
          });
          const onEvent = ({ type }: { type: string }): void => void (type === 'kb.text-indexed' && done());
          const kb = await openKb({ store: fileStore({ dir: folder }), onEvent });
          await indexed;
          const ms = checked(kb.stats().entries, began);
          await kb.close();
          return ms;
        },
        [PLAIN]: async () => {
          globalThis.gc?.();
          const began = performance.now();
          const rowsById = await plainLoop(folder);
          return checked(rowsById, began);
        },
      };
      for (const { who, open, kind } of used) {
        if (kind === 'ours') continue;
        cases[who] = async () => {
          globalThis.gc?.();
          const began = performance.now();
          const opened = await open(home);
          const ms = checked((await opened.all()).size, began);
          await opened.close();
          return ms;
        };
      }
      const boot = await interleave(cases, { rounds: quick ? 2 : 4 });
      const size = `${count.toLocaleString('en')} entries`;
      for (const who of Object.keys(cases)) {
        const kind = who === PLAIN ? 'floor' : who.startsWith('holdfast') ? 'ours' : 'peer';
        rows.push({ who, kind, size, cells: { boot: boot[who]! } });
      }
      if (sqliteMissing) rows.push({ who: 'node:sqlite', kind: 'peer', size, cells: { boot: sqliteMissing } });
      const [ours, plain] = [boot[OURS]!.median, boot[PLAIN]!.median];
      targets.push({
        claim: `${size}: within twice the plain loop`,
        measured: `${Math.round(ours)} beside ${Math.round(plain)} ms`,
        met: ours <= 2 * plain,
      });
    }
    return {
      rows,
      targets,
      notes: ['Opening includes taking the lock and one new segment with its fsyncs.'],
    };
  },
};

/** Reads every line of the newest epoch: checksum, JSON, Map, tags, categories. */
async function plainLoop(folder: string): Promise<number> {
  const byId = new Map<string, { rev: number; entry?: Entry }>();
  const sets = { tags: new Map<string, Set<string>>(), categories: new Map<string, Set<string>>() };
  const add = (index: Map<string, Set<string>>, key: string, id: string): void => {
    const ids = index.get(key);
    if (ids) ids.add(id);
    else index.set(key, new Set([id]));
  };
  const epoch = (await readdir(folder))
    .filter((name) => name.startsWith('epoch-'))
    .sort()
    .at(-1)!;
  const names = await readdir(join(folder, epoch));
  for (const name of [
    ...names.filter((each) => each.endsWith('.snap')),
    ...names.filter((each) => each.endsWith('.log')).sort(),
  ]) {
    const seed = crc32(name);
    for await (const line of createInterface({ input: createReadStream(join(folder, epoch, name)) })) {
      if (crc32(line.slice(9), seed) !== Number.parseInt(line.slice(0, 8), 16))
        throw new Error(`a bad line in ${name}`);
      if (line[9] !== 'r') continue;
      const row = JSON.parse(line.slice(line.indexOf(' ', 11) + 1)) as { id: string; rev: number; entry?: Entry };
      byId.set(row.id, row);
      for (const tag of row.entry?.tags ?? []) add(sets.tags, tag, row.id);
      if (row.entry?.category !== undefined) add(sets.categories, row.entry.category, row.id);
    }
  }
  return byId.size;
}
