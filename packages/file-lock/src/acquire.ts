import { Contender } from './contender.js';
import { refuseDeadlock } from './deadlock.js';
import type { Hold } from './hold.js';
import type { AcquireOptions, AcquireSettings } from './options.js';
import { acquireSettings, checkPath } from './options.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';

/**
 * Waits for the lock on `path` and holds it. The file itself need not exist; its directory must.
 *
 * Guaranteed: among all users of this package on one host (processes, worker threads, copies and versions of the package)
 * at most one holds it whose heartbeat is alive; a dead owner on this host is replaced at once; waiters of one process
 * get it in the order of their calls, and processes in the order in which their first waiters came (one that is stopped or
 * does not react is passed over and gets its place back). `timeoutMs: 0` stands in no line. Not guaranteed: that a stopped or blocked holder notices that it was replaced before
 * it looks (see {@link Hold}); anything on network file systems beyond the heartbeat's age. The lock is advisory.
 *
 * @param path the file to lock; relative paths and symlinks are resolved first, so that each file has one lock
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_TIMEOUT (with `holder`), FILE_LOCK_IO, FILE_LOCK_DEADLOCK (inside a callback that holds it),
 * or with `signal.reason`
 * @example
 * await using hold = await acquire('state.json', { timeoutMs: 5_000 });
 * await hold.commit(JSON.stringify(next));
 */
export function acquire(path: string, options?: AcquireOptions): Promise<Hold> {
  checkPath(path);
  return contend(path, acquireSettings(options));
}

async function contend(path: string, settings: AcquireSettings): Promise<Hold> {
  settings.signal?.throwIfAborted();
  return contendFor(resolveTarget(path), settings);
}

/** {@link acquire} for a target that has been resolved. */
export async function contendFor(target: Target, settings: AcquireSettings): Promise<Hold> {
  settings.signal?.throwIfAborted();
  refuseDeadlock(target);
  const contender = new Contender(target, settings);
  try {
    return await contender.wait();
  } catch (error) {
    contender.place.leave();
    throw error;
  }
}
