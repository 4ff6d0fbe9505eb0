import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quantile, spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { createFile, flock, holdfast, noLock, npmLockfile, properQuick, properTypical } from './locks/locks.ts';

const WORKER = fileURLToPath(new URL('contended/worker.ts', import.meta.url));
const SIZES = [1, 2, 4, 8];
const UPDATES = 50;

interface Turn {
  atMs: number;
  waitedMs: number;
}
interface Round {
  ms: number;
  worstMs: number;
  jain: number;
  lost: number;
}

export const table: Table = {
  name: 'file-lock/contended',
  title: 'Several processes update one file as fast as they can',
  about:
    `Each of 1, 2, 4 and 8 processes appends ${UPDATES} lines to one file by reading, changing and writing it under the lock. Jain’s index tells how ` +
    'evenly the lock was shared until the first process had all its turns: 1 is equal, 1/N means that one had it alone. Lost updates are lines that ' +
    'are not there at the end.',
  columns: [
    { name: 'all done', unit: 'ms', better: 'lower' },
    { name: 'worst wait', unit: 'ms', better: 'lower' },
    { name: 'Jain index', unit: 'count', better: 'higher' },
    { name: 'lost updates', unit: 'count', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const contenders: { who: string; kind: Row['kind'] }[] = [
      { who: 'holdfast updateFile', kind: 'ours' },
      holdfast,
      properTypical,
      properQuick,
      npmLockfile,
      flock,
      noLock,
    ];
    const count = quick ? 15 : UPDATES;
    const rounds = quick ? 1 : 3;
    const children = await Promise.all(Array.from({ length: SIZES.at(-1)! }, startWorker));
    const rows: Row[] = [];
    let worstJain = 1;
    let lostByUs = 0;
    try {
      for (const processes of SIZES) {
        const size = processes === 1 ? '1 process' : `${processes} processes`;
        const measured = new Map<string, Round[]>(contenders.map(({ who }) => [who, []]));
        for (let round = 0; round < rounds; round += 1)
          for (let turn = 0; turn < contenders.length; turn += 1) {
            const { who } = contenders[(turn + round) % contenders.length]!;
            measured.get(who)!.push(await compete(children.slice(0, processes), who, join(dir, 'f'), count));
          }
        for (const { who, kind } of contenders) {
          const all = measured.get(who)!;
          const lost = Math.max(...all.map((one) => one.lost));
          const jain = spread(all.map((one) => Math.round(one.jain * 1_000) / 1_000));
          const cells = {
            'all done': spread(all.map((one) => one.ms)),
            'worst wait': spread(all.map((one) => one.worstMs)),
            'Jain index': jain,
            'lost updates': lost,
          };
          rows.push({ who, kind, size, cells });
          if (kind === 'ours') lostByUs += lost;
          if (who === holdfast.who && processes === 8) worstJain = jain.median;
        }
        log(`${size} done`);
      }
    } finally {
      for (const child of children) child.kill();
    }
    return {
      rows,
      targets: [
        { claim: 'no update lost', measured: `${lostByUs}`, met: lostByUs === 0 },
        {
          claim: 'Jain index of at least 0.98 with 8 processes',
          measured: worstJain.toFixed(3),
          met: worstJain >= 0.98,
        },
      ],
      notes: [
        'Where a lock goes to whoever asks next, the process that has just released it asks first: most is done by one process in one go, which saves the hand-over and starves the others. Ours hands it to whoever waits longest; each hand-over costs a wake-up of another process.',
        'updateFile reads, compares and stages through the thread pool, and replaces the file by a rename: readers never see a part. The others write in place. None syncs here.',
      ],
    };
  },
};

async function startWorker(): Promise<ChildProcess> {
  const child = fork(WORKER);
  await once(child, 'message');
  return child;
}

async function compete(children: readonly ChildProcess[], who: string, file: string, count: number): Promise<Round> {
  createFile(file);
  const started = performance.now();
  const answers = children.map(async (child, n) => {
    const answer = once(child, 'message');
    child.send({ who, file, name: `p${n}`, count });
    const [{ turns, error }] = (await answer) as [{ turns: Turn[]; error?: string }];
    if (error !== undefined) throw new Error(`${who}: ${error}`);
    return turns;
  });
  const turns = await Promise.all(answers);
  const ms = performance.now() - started;
  const kept = new Set(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
  ).size;
  rmSync(file);
  const firstDoneMs = Math.min(...turns.map((times) => times.at(-1)!.atMs));
  const shares = turns.map((times) => times.filter(({ atMs }) => atMs <= firstDoneMs).length);
  const jain = shares.reduce((sum, n) => sum + n, 0) ** 2 / (shares.length * shares.reduce((sum, n) => sum + n * n, 0));
  const waits = turns
    .flat()
    .map(({ waitedMs }) => waitedMs)
    .sort((a, b) => a - b);
  return { ms, worstMs: quantile(waits, 1), jain, lost: children.length * count - kept };
}
