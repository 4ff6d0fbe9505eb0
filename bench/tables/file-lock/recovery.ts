import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { quantile, spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import type { Locker } from './locks/locks.ts';
import { createFile, flock, holdfast, npmLockfile, properStale2s, properTypical } from './locks/locks.ts';

const HOLDER = fileURLToPath(new URL('recovery/holder.mjs', import.meta.url));

export const table: Table = {
  name: 'file-lock/recovery',
  title: 'From the death of the owner to the next owner',
  about:
    'A process takes the lock and is killed with SIGKILL while another one waits for it; the time from the kill until the other one has the lock. ' +
    'One host; each kill has a fresh owner and a fresh file.',
  columns: [
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p99', unit: 'ms', better: 'lower' },
    { name: 'worst', unit: 'ms', better: 'lower' },
    { name: 'kills', unit: 'count', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    // The slow ones wait for ten seconds a kill: few, and all at the same time.
    const slow: [Locker, number][] = quick
      ? []
      : [
          [properTypical, 4],
          [properStale2s, 6],
          [npmLockfile, 4],
        ];
    const times = new Map<string, number[]>();
    const waiting = slow.map(async ([locker, kills], index) => {
      const each = Array.from({ length: kills }, (_, n) => recover(locker, join(dir, `slow${index}-${n}`)));
      times.set(locker.who, await Promise.all(each));
    });
    await Promise.all(waiting);
    if (!quick) log('slow peers done');
    for (const locker of [holdfast, flock]) times.set(locker.who, []);
    const kills = quick ? 20 : 100;
    for (let n = 0; n < kills; n += 1)
      for (const locker of [holdfast, flock])
        times.get(locker.who)!.push(await recover(locker, join(dir, `${locker.kind}-${n}`)));
    log('quick ones done');
    const rows: Row[] = [holdfast, ...slow.map(([locker]) => locker), flock].map(({ who, kind }) => {
      const sorted = [...times.get(who)!].sort((a, b) => a - b);
      const cells = {
        p50: spread(sorted),
        p99: quantile(sorted, 0.99),
        worst: quantile(sorted, 1),
        kills: sorted.length,
      };
      return { who, kind, cells };
    });
    const p99 = quantile(
      [...times.get(holdfast.who)!].sort((a, b) => a - b),
      0.99,
    );
    return {
      rows,
      targets: [
        {
          claim: `next owner within 250 ms at p99 over ${kills} kills`,
          measured: `${p99.toFixed(0)} ms`,
          met: p99 <= 250,
        },
      ],
      notes: [
        'Ours proves the death: process id, thread id and start time of the owner, its boot and its pid namespace; so it needs to wait for nothing. proper-lockfile and lockfile go by the age of the lock, 10 s by default, and by when they happen to look again.',
        'flock is given back by the kernel; its waiter looks every 10 ms.',
        'Without its `stale` option lockfile never takes a dead owner’s lock; it has 10 s here.',
      ],
    };
  },
};

async function recover(locker: Locker, file: string): Promise<number> {
  createFile(file);
  const holder = spawn(process.execPath, [HOLDER, locker.who, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const waiting = locker.lock(file).then((release) => ({ release, atMs: performance.now() }));
  await pause(60); // the waiter has looked, and waits
  const killedMs = performance.now();
  holder.kill('SIGKILL');
  const { release, atMs } = await waiting;
  await release();
  return atMs - killedMs;
}
