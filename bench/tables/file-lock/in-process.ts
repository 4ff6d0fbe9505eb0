import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { updateFile } from '@holdfast/file-lock';
import { interleave } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import type { Locker } from './locks/locks.ts';
import { createFile, flock, noLock, npmLockfile, properQuick } from './locks/locks.ts';

const SIZES = [1, 10, 100];

type Update = (file: string, line: string) => Promise<unknown>;

/** Read, append, write back, as people write it. */
function underLock({ lock }: Locker): Update {
  return async (file, line) => {
    const release = await lock(file);
    try {
      await writeFile(file, (await readFile(file, 'utf8')) + line);
    } finally {
      await release();
    }
  };
}

export const table: Table = {
  name: 'file-lock/in-process',
  title: 'Updates of one file that one process starts at once',
  about:
    'One, ten and a hundred read-modify-write updates of one file, started together in one process, until the last is done. Ours are durable ' +
    '(file and directory synced) when they resolve; the peers’ are written with fs.writeFile under their lock and not synced.',
  columns: [
    { name: 'all done', unit: 'ms', better: 'lower' },
    { name: 'lost updates', unit: 'count', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const contenders: { who: string; kind: Row['kind']; update: Update }[] = [
      {
        who: 'holdfast updateFile',
        kind: 'ours',
        update: (file, line) => updateFile(file, (text) => `${text ?? ''}${line}`),
      },
      {
        who: 'holdfast updateFile, fsync: false',
        kind: 'ours',
        update: (file, line) => updateFile(file, (text) => `${text ?? ''}${line}`, { fsync: false }),
      },
      ...[properQuick, npmLockfile, flock, noLock].map((locker) => ({ ...locker, update: underLock(locker) })),
    ];
    const rows: Row[] = [];
    const ours = new Map<number, number>();
    for (const updates of SIZES) {
      // Polling every 100 ms, its hundred take ten seconds.
      const racing = contenders.filter(({ who }) => !(quick && updates === 100 && who === npmLockfile.who));
      const lost = new Map<string, number>();
      const cases = Object.fromEntries(
        racing.map(({ who, update }) => [
          who,
          async () => {
            const file = createFile(join(dir, 'f'));
            const started = performance.now();
            await Promise.all(Array.from({ length: updates }, (_, n) => update(file, `${n}\n`)));
            const ms = performance.now() - started;
            const kept = new Set((await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')).size;
            lost.set(who, Math.max(lost.get(who) ?? 0, updates - kept));
            await rm(file);
            return ms;
          },
        ]),
      );
      const spreads = await interleave(cases, {
        rounds: quick ? 2 : updates === 100 ? 3 : 7,
        warmUp: updates === 100 ? 0 : 1,
      });
      const size = updates === 1 ? '1 update' : `${updates} updates`;
      for (const { who, kind } of racing)
        rows.push({ who, kind, size, cells: { 'all done': spreads[who]!, 'lost updates': lost.get(who)! } });
      ours.set(updates, spreads['holdfast updateFile']!.median);
      log(`${size} done`);
    }
    const [one, hundred] = [ours.get(1)!, ours.get(100)!];
    return {
      rows,
      targets: [
        {
          claim: '100 updates at once in under 10 times the time of one',
          measured: `${hundred.toFixed(1)} ms beside ${one.toFixed(1)} ms (${(hundred / one).toFixed(1)} times)`,
          met: hundred < 10 * one,
        },
      ],
      notes: [
        'Without a lock the updates overwrite each other. lockfile polls, and its waiters meet each other at every poll.',
      ],
    };
  },
};
