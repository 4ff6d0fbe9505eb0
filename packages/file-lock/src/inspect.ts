import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { systemClock } from '@holdfast/clock';
import { ioError, systemCode } from './errors.js';
import type { Holder } from './identity.js';
import { holderOf, prove } from './identity.js';
import { checkPath } from './options.js';
import { lineLength } from './queue.js';
import { resolveTarget } from './target.js';
import { lengthOfLine } from './tickets.js';
import { counterOf, readCounter } from './token.js';

/** What is known of a lock, for people and dashboards. It may have changed by the time it is read. */
export interface Inspection {
  readonly held: boolean;
  readonly holder?: InspectedHolder | undefined;
  /** How many of this process wait behind the holder or the one that contends. */
  readonly waiters: number;
  /** How many processes (each one's first waiter) stand in line for it. */
  readonly processesWaiting: number;
}

/** The holder as found in the file system. */
export interface InspectedHolder extends Holder {
  /** Names this very hold, for `breakLock`. `plain-…` for a plain proper-lockfile peer. */
  readonly owner: string;
  readonly ageMs: number;
  /** The last fencing token given out for this file (0: none); the holder's own if it has asked for one. */
  readonly token: number;
}

/**
 * Says who holds the lock on `path`, without touching it.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_IO if the directory of `path` can't be read
 */
export function inspect(path: string): Promise<Inspection> {
  checkPath(path);
  return inspectNow(path);
}

async function inspectNow(path: string): Promise<Inspection> {
  const target = resolveTarget(path);
  const waiters = Math.max(0, lineLength(target.lock) - 1);
  try {
    const processesWaiting = lengthOfLine(target);
    const seen = lookAt(target.lock);
    if (!seen) return { held: false, waiters, processesWaiting };
    const holder = {
      ...seen.holder,
      owner: seen.owner,
      ageMs: seen.holder.ageMs ?? 0,
      token: readCounter(counterOf(target)),
    };
    return { held: true, holder, waiters, processesWaiting };
  } catch (error) {
    throw ioError(target.file, 'inspect the lock of', error);
  }
}

/** A holder as one look has found it. */
export interface Found {
  readonly holder: Holder;
  readonly owner: string;
  /** Its name in the file system; undefined for a plain peer. */
  readonly name: string | undefined;
  /** The last heartbeat, epoch milliseconds. */
  readonly heartbeat: number;
}

/** Who holds the lock directory `lock`; undefined if nobody does. */
export function lookAt(lock: string): Found | undefined {
  if (!existsSync(lock)) return undefined; // the common case, without the cost of an error
  try {
    const names = readdirSync(lock);
    const name = names.find((entry) => entry.startsWith('o-'));
    if (name !== undefined) {
      const { mtimeMs } = lstatSync(`${lock}/${name}`);
      return { holder: holderOf(name, prove(name), age(mtimeMs)), owner: name, name, heartbeat: mtimeMs };
    }
    const { mode, ino, mtimeMs } = lstatSync(lock);
    if (names.length === 0 && (mode & 0o1000) !== 0) return undefined;
    return { holder: holderOf(undefined, 'unproven', age(mtimeMs)), owner: `plain-${ino}`, name, heartbeat: mtimeMs };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function age(heartbeat: number): number {
  return Math.max(0, systemClock.now() - heartbeat);
}
