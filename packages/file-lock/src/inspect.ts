import { lstatSync, readdirSync } from 'node:fs';
import { systemClock } from '@holdfast/clock';
import { ioError, systemCode } from './errors.js';
import type { Holder } from './identity.js';
import { holderOf, prove } from './identity.js';
import { checkPath } from './options.js';
import { lineLength } from './queue.js';
import { resolveTarget } from './target.js';
import { readCounter } from './token.js';

/** What is known of a lock, for people and dashboards. It may have changed by the time it is read. */
export interface Inspection {
  readonly held: boolean;
  readonly holder?: InspectedHolder | undefined;
  /** How many of this process wait behind the holder or the one that contends. */
  readonly waiters: number;
}

/** The holder as found in the file system. */
export interface InspectedHolder extends Holder {
  /** Since the last heartbeat by the wall clocks, milliseconds; informative only, no decision uses it. */
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
  const inLine = lineLength(target.lock);
  try {
    const seen = lookAt(target.lock);
    if (!seen) return { held: false, waiters: Math.max(0, inLine - 1) };
    const holder = {
      ...seen.holder,
      ageMs: Math.max(0, systemClock.now() - seen.heartbeat),
      token: readCounter(`${target.lock}.token`),
    };
    return { held: true, holder, waiters: Math.max(0, inLine - 1) };
  } catch (error) {
    throw ioError(target.file, 'inspect the lock of', error);
  }
}

/** Who holds the lock directory `lock`, and its last heartbeat in epoch milliseconds; undefined if nobody does. */
export function lookAt(lock: string): { holder: Holder; name: string | undefined; heartbeat: number } | undefined {
  try {
    const names = readdirSync(lock);
    const owner = names.find((name) => name.startsWith('o-'));
    if (owner === undefined) {
      const stat = lstatSync(lock);
      if (names.length === 0 && (stat.mode & 0o1000) !== 0) return undefined;
      return { holder: holderOf(undefined, 'unproven'), name: undefined, heartbeat: stat.mtimeMs };
    }
    return { holder: holderOf(owner, prove(owner)), name: owner, heartbeat: lstatSync(`${lock}/${owner}`).mtimeMs };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
