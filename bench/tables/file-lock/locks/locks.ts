import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { acquire } from '@holdfast/file-lock';

/** One way to lock a file, used as its README says. */
export interface Locker {
  readonly who: string;
  readonly kind: 'ours' | 'peer' | 'floor';
  /** Waits for the lock on `file` and resolves with its release. */
  lock(file: string): Promise<() => Promise<void> | void>;
  /** One attempt without waiting, for races: rejects if the lock is held. */
  attempt?(file: string): Promise<() => Promise<void> | void>;
}

interface ProperLockfile {
  lock(file: string, options?: object): Promise<() => Promise<void>>;
}
interface Lockfile {
  lock(path: string, options: object, done: (error?: Error | null) => void): void;
  unlock(path: string, done: (error?: Error | null) => void): void;
}
interface FsExt {
  flockSync(fd: number, how: 'exnb' | 'un'): void;
}

const require = createRequire(import.meta.url);
const proper = require('proper-lockfile') as ProperLockfile;
const lockfile = require('lockfile') as Lockfile;
const fsExt = require('fs-ext') as FsExt;

export const holdfast: Locker = {
  who: 'holdfast acquire',
  kind: 'ours',
  async lock(file) {
    const hold = await acquire(file, { timeoutMs: 120_000 });
    return () => hold.release();
  },
  async attempt(file) {
    const hold = await acquire(file, { timeoutMs: 0 });
    return () => hold.release();
  },
};

/** proper-lockfile wants the file to be there. */
function properLockfile(who: string, options: object): Locker {
  return {
    who: `proper-lockfile 4.1.2${who}`,
    kind: 'peer',
    lock: (file) => proper.lock(file, options),
    attempt: (file) => proper.lock(file, { ...options, retries: 0 }),
  };
}

/** The retries that its users choose: ten, from 100 ms to 2 s. */
const TYPICAL = { retries: { retries: 10, minTimeout: 100, maxTimeout: 2_000 } };
/** Enough retries never to give up while a table runs. */
export const properTypical = properLockfile(', 100 ms to 2 s', { retries: { ...TYPICAL.retries, retries: 100 } });
export const properDefault = properLockfile('', {});
export const properNoRealpath = properLockfile(', realpath: false', { realpath: false });
export const properQuick = properLockfile(', every 10 ms', {
  retries: { retries: 12_000, minTimeout: 10, maxTimeout: 10, factor: 1 },
});
export const properStale2s = properLockfile(', stale 2 s, every 200 ms', {
  stale: 2_000,
  retries: { retries: 600, minTimeout: 200, maxTimeout: 200, factor: 1 },
});

export const npmLockfile: Locker = {
  who: 'lockfile 1.0.4, poll 100 ms',
  kind: 'peer',
  async lock(file) {
    const path = `${file}.lockfile`;
    await promisify(lockfile.lock)(path, { wait: 120_000, pollPeriod: 100, stale: 10_000 });
    return () => promisify(lockfile.unlock)(path);
  },
  async attempt(file) {
    const path = `${file}.lockfile`;
    await promisify(lockfile.lock)(path, { stale: 10_000 });
    return () => promisify(lockfile.unlock)(path);
  },
};

/** Non-blocking: a few blocking ones would take all threads of libuv's pool. */
export const flock: Locker = {
  who: 'fs-ext 2.1.1 flock, every 10 ms',
  kind: 'peer',
  async lock(file) {
    const fd = openSync(`${file}.flock`, 'a');
    for (;;) {
      try {
        fsExt.flockSync(fd, 'exnb');
        break;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error;
        await pause(10);
      }
    }
    return () => closeSync(fd);
  },
};

export const noLock: Locker = { who: 'no lock', kind: 'floor', lock: async () => () => {} };

export const lockers = [
  holdfast,
  properTypical,
  properDefault,
  properNoRealpath,
  properQuick,
  properStale2s,
  npmLockfile,
  flock,
  noLock,
];

export function lockerNamed(who: string): Locker {
  const found = lockers.find((locker) => locker.who === who);
  if (!found) throw new Error(`no locker is called ${who}`);
  return found;
}

/** The file that some of the peers want to be there. */
export function createFile(file: string): string {
  writeFileSync(file, '');
  return file;
}
