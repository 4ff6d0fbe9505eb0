import { interleave, spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import {
  type Contender,
  classicLevel,
  holdfast,
  nodeSqlite,
  RECORD_BYTES,
  type Round,
  rawFdatasync,
} from './append/contenders.ts';

const SIZES = [
  { writers: 1, each: 300 },
  { writers: 16, each: 100 },
  { writers: 64, each: 60 },
];

export const table: Table = {
  name: 'journal/append',
  title: 'Durable appends: rate and latency',
  about:
    `How many records of ${RECORD_BYTES} bytes a second are durable, and how long one append waits for it, with 1, 16 and 64 writers ` +
    'that each append one after another. The floor is the disk: all writers’ records in one write and one fdatasync, with no framing, ' +
    'no checksum and nobody to tell.',
  columns: [
    { name: 'appends', unit: 'ops/s', better: 'higher' },
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p99', unit: 'ms', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const contenders: Contender[] = [await holdfast(dir), await rawFdatasync(dir), await classicLevel(dir)];
    const sqlite = await nodeSqlite(dir);
    if (sqlite) contenders.push(sqlite);
    const rows: Row[] = [];
    const targets = [];
    try {
      for (const { writers, each } of SIZES) {
        const size = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
        const rounds = new Map<string, Round[]>(contenders.map(({ who }) => [who, []]));
        const cases = Object.fromEntries(
          contenders.map((contender) => [
            contender.who,
            async (round: number) => {
              const one = await contender.round(writers, quick ? each / 2 : each);
              if (round > 0) rounds.get(contender.who)!.push(one);
              return one.perSecond;
            },
          ]),
        );
        const rates = await interleave(cases, { rounds: quick ? 3 : 9 });
        for (const { who, kind } of contenders) {
          const all = rounds.get(who)!;
          const cells = {
            appends: rates[who]!,
            p50: spread(all.map(({ p50Ms }) => p50Ms)),
            p99: spread(all.map(({ p99Ms }) => p99Ms)),
          };
          rows.push({ who, kind, size, cells });
        }
        if (!sqlite) {
          const cells = { appends: `Node ${process.versions.node} has none`, p50: '-', p99: '-' };
          rows.push({ who: 'node:sqlite', kind: 'peer', size, cells });
        }
        const ours = rates.holdfast!.median;
        const level = rates['classic-level 3.0.0, sync: true']!.median;
        targets.push({
          claim: `${size}: at least the rate of classic-level with sync: true`,
          measured: `${Math.round(ours)} beside ${Math.round(level)} ops/s`,
          met: ours >= level,
        });
        log(`${size} done`);
      }
    } finally {
      for (const contender of contenders) await contender[Symbol.asyncDispose]();
    }
    return {
      rows,
      targets,
      notes: [
        'holdfast, classic-level and the floor do their I/O on the thread pool; node:sqlite blocks the event loop for each commit, and its rows ' +
          'with several writers are one transaction made by hand for all of them: the best it can do.',
        'Behind the floor holdfast frames, checks and parses each record (what is applied is a copy, as it will be read from the disk), ' +
          'looks at its ownership after every fdatasync, and lets the event loop turn once before each commit, so that who is waiting comes along.',
      ],
    };
  },
};
