import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import type { Locker } from './locks/locks.ts';
import { createFile, flock, holdfast, npmLockfile, properDefault, properNoRealpath } from './locks/locks.ts';

const SIZES = [1, 100];

const floor: Locker = {
  who: 'mkdirSync + rmdirSync',
  kind: 'floor',
  async lock(file) {
    mkdirSync(`${file}.d`);
    return () => rmdirSync(`${file}.d`);
  },
};

export const table: Table = {
  name: 'file-lock/uncontended',
  title: 'Acquire and release a lock that nobody else wants',
  about:
    'One process takes and gives back a lock, one after the other, on one file and on a hundred in turn. The price of a lock where it is ' +
    'not needed; the floor is the one directory that a lock at least makes and removes.',
  columns: [
    { name: 'acquire + release', unit: 'µs', better: 'lower' },
    { name: 'CPU', unit: 'µs', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const lockers = [holdfast, properDefault, properNoRealpath, npmLockfile, flock, floor];
    const rows: Row[] = [];
    let met = { measured: '', ratio: 0 };
    const pairs = quick ? 40 : 300;
    for (const files of SIZES) {
      const paths = Array.from({ length: files }, (_, n) => createFile(join(dir, `f${n}`)));
      const cpu = new Map<string, number[]>(lockers.map(({ who }) => [who, []]));
      const cases = Object.fromEntries(
        lockers.map(({ who, lock }) => [
          who,
          async () => {
            const before = process.cpuUsage();
            const started = performance.now();
            for (let n = 0; n < pairs; n += 1) await (await lock(paths[n % files]!))();
            const us = ((performance.now() - started) * 1_000) / pairs;
            const { user, system } = process.cpuUsage(before);
            cpu.get(who)!.push((user + system) / pairs);
            return us;
          },
        ]),
      );
      const spreads = await interleave(cases, { rounds: quick ? 5 : 15 });
      const size = files === 1 ? '1 file' : `${files} files`;
      for (const { who, kind } of lockers)
        rows.push({
          who,
          kind,
          size,
          cells: { 'acquire + release': spreads[who]!, CPU: spread(cpu.get(who)!.slice(1)) },
        });
      const ours = spreads[holdfast.who]!.median;
      const plain = spreads[properDefault.who]!.median;
      if (ours / plain > met.ratio)
        met = { ratio: ours / plain, measured: `${Math.round(ours)} beside ${Math.round(plain)} µs (${size})` };
      log(`${size} done`);
    }
    return {
      rows,
      targets: [
        { claim: 'within twice the time of plain proper-lockfile', measured: met.measured, met: met.ratio <= 2 },
      ],
      notes: [
        'The time includes waiting for the disk: removing a directory on ext4 frees a journaled block, and while other processes sync it waits for their commit (722 µs a call under such a load, by strace, where unlinking a file took 8 µs). Ours removes two directories, proper-lockfile one, lockfile none. CPU is what the process itself has used, all threads.',
        'Ours makes two directories and renames them into place, so that the lock appears with its owner’s name in it or not at all, and looks for the line of waiting processes; then it lets proper-lockfile keep the heartbeat.',
        'flock is a system call on an open file and leaves nothing to clean up: nothing that works by names in a directory can be as quick. It has no owner to show, no token, and does not fence a write.',
      ],
    };
  },
};
