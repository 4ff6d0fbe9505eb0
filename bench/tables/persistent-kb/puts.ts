import { join } from 'node:path';
import { type Entry, fileStore } from '@holdfast/persistent-kb';
import { ClassicLevel } from 'classic-level';
import { matchingOf } from '../../../packages/persistent-kb/src/score.ts';
import { State } from '../../../packages/persistent-kb/src/state.ts';
import { TextIndex } from '../../../packages/persistent-kb/src/text-index.ts';
import { interleave, spread } from '../../runner/statistics.ts';
import type { Row, Table, Target } from '../../runner/table.ts';
import { driverOf } from './peers/driver.ts';
import { entryOf, seeded } from './peers/entries.ts';
import { type Opened, peers, sqliteMissing } from './peers/peers.ts';

interface Contender {
  readonly who: string;
  readonly kind: 'ours' | 'peer';
  readonly slow?: boolean | undefined;
  put(entry: Entry): Promise<unknown>;
  close(): Promise<void>;
}

const DRIVER = 'holdfast file driver';
const KB = 'holdfast Kb.put';
const LEVEL = 'classic-level, sync: true';
const LEVEL_INDEXED = 'classic-level, sync: true, plus the same text index, tags and Map';

export const table: Table = {
  name: 'persistent-kb/puts',
  title: 'Acknowledged puts',
  about:
    'Entries of about 600 bytes, each put by a writer that waits for the acknowledgement before its next. The driver row has no ' +
    'knowledge base above it; Kb.put validates, copies, keeps revisions, tags and a text index.',
  columns: [
    { name: 'puts', unit: 'ops/s', better: 'higher' },
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p99', unit: 'ms', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const contenders: Contender[] = [await driver(dir), await levelIndexed(dir)];
    for (const peer of peers) {
      const opened: Opened = await peer.open(dir);
      contenders.push({ ...peer, put: (entry) => opened.put(entry), close: () => opened.close() });
    }
    const rows: Row[] = [];
    const targets: Target[] = [];
    const random = seeded(3);
    let n = 0;
    try {
      for (const { writers, each } of [
        { writers: 1, each: quick ? 80 : 250 },
        { writers: 64, each: quick ? 20 : 60 },
      ]) {
        const waits = new Map<string, number[]>(contenders.map(({ who }) => [who, []]));
        const cases = Object.fromEntries(
          contenders.map(({ who, slow, put }) => [
            who,
            async (round: number) => {
              const times = slow ? Math.max(1, Math.floor(each / 20)) : each;
              const batch = Array.from({ length: writers * times }, () => entryOf(n++ % 20_000, 20_000, random));
              const began = performance.now();
              await Promise.all(
                Array.from({ length: writers }, async (_, writer) => {
                  for (let at = writer; at < batch.length; at += writers) {
                    const from = performance.now();
                    await put(batch[at]!);
                    if (round > 0) waits.get(who)!.push(performance.now() - from);
                  }
                }),
              );
              return (batch.length / (performance.now() - began)) * 1000;
            },
          ]),
        );
        const rates = await interleave(cases, { rounds: quick ? 3 : 9 });
        const size = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
        for (const { who, kind } of contenders) {
          const sorted = waits.get(who)!.sort((a, b) => a - b);
          const at = (q: number): number => sorted[Math.floor((sorted.length - 1) * q)]!;
          rows.push({ who, kind, size, cells: { puts: rates[who]!, p50: spread([at(0.5)]), p99: spread([at(0.99)]) } });
        }
        if (sqliteMissing)
          rows.push({ who: 'node:sqlite', kind: 'peer', size, cells: { puts: sqliteMissing, p50: '-', p99: '-' } });
        const compare = (claim: string, ours: string, theirs: string, factor: number): void => {
          const [a, b] = [rates[ours]!.median, rates[theirs]!.median];
          targets.push({
            claim: `${size}: ${claim}`,
            measured: `${Math.round(a)} beside ${Math.round(b)} ops/s`,
            met: a >= b * factor,
          });
        };
        if (writers === 64)
          compare('the file driver at least as fast as classic-level with sync: true', DRIVER, LEVEL, 1);
        compare('Kb.put at least 0.9 of classic-level with sync: true plus the same indexes', KB, LEVEL_INDEXED, 0.9);
        log(`${size} done`);
      }
    } finally {
      for (const { close } of contenders) await close();
    }
    return {
      rows,
      targets,
      notes: [
        'lokijs acknowledges before anything is written, lowdb and nedb before anything is synced: see the table of lost writes.',
        'lowdb writes the whole file for each put; it makes a twentieth of the puts.',
      ],
    };
  },
};

async function driver(dir: string): Promise<Contender> {
  return { who: DRIVER, kind: 'ours', ...(await driverOf(fileStore({ dir: join(dir, 'driver') }))) };
}

async function levelIndexed(dir: string): Promise<Contender> {
  const db = new ClassicLevel<string, Entry>(join(dir, 'level-indexed'), { valueEncoding: 'json' });
  await db.open();
  const state = new State();
  const index = new TextIndex(matchingOf({}));
  let rev = 0;
  return {
    who: LEVEL_INDEXED,
    kind: 'peer',
    async put(entry) {
      await db.put(entry.id, entry, { sync: true });
      const change = state.apply({ id: entry.id, rev: ++rev, op: '', at: 1, entry }, 0);
      if (change?.before?.entry) index.remove(entry.id, change.before.entry);
      index.add(entry.id, entry);
    },
    close: () => db.close(),
  };
}
