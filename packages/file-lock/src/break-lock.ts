import { systemClock } from '@holdfast/clock';
import { createEmitter } from '@holdfast/observe';
import { ioError } from './errors.js';
import type { FileLockEvent } from './events.js';
import { mintName } from './identity.js';
import type { Found } from './inspect.js';
import { lookAt } from './inspect.js';
import { nodeLockFs, runToEnd } from './lock-fs.js';
import { checkPath, DEFAULTS, invalid } from './options.js';
import { beginBreak, decideAcquire } from './protocol-acquire.js';
import { beginRelease, decideRelease } from './protocol-release.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';
import { wakeNext } from './tickets.js';
import { counterOf, readCounter } from './token.js';

export interface BreakOptions {
  /**
   * Whose lock, as `inspect` has shown it: `holder.owner` names one hold exactly. `holder.token`, a number, is the last
   * fencing token given out; it may also fit a successor that has not asked for its own yet.
   */
  token: string | number;
  onEvent?: ((event: FileLockEvent) => void) | undefined;
}

/**
 * Takes the lock on `path` away from the owner that `token` names, dead or alive, and leaves it free: for a person who knows
 * that the owner will not come back, or who would rather lose its work.
 *
 * Guaranteed: nobody but that owner is hit, however late the call comes; the owner's commits and its release are refused from
 * then on, as after any takeover. Not guaranteed: that the owner stops working (see `Hold`); for a plain proper-lockfile
 * peer, which has no name, that a new one of the same microsecond is told apart.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns true if the lock was taken from that owner; false if it does not hold it (any more): nothing was changed. Rejects
 * FILE_LOCK_IO
 * @example
 * const { holder } = await inspect('state.json');
 * if (holder && (await confirm(holder))) await breakLock('state.json', { token: holder.owner });
 */
export function breakLock(path: string, options: BreakOptions): Promise<boolean> {
  checkPath(path);
  const { token, onEvent } = options;
  if ((typeof token !== 'string' || token === '') && !(Number.isSafeInteger(token) && Number(token) >= 0))
    throw invalid('token', "must be inspect's holder.owner or holder.token", token);
  return breakNow(path, token, createEmitter('file-lock', onEvent));
}

async function breakNow(path: string, token: string | number, emit: (event: FileLockEvent) => void): Promise<boolean> {
  const target = resolveTarget(path);
  const found = find(target, token);
  if (!found) return false;
  const contest = { lock: target.lock, me: mintName(), takeover: 'dead-only', staleMs: DEFAULTS.staleMs } as const;
  const fs = nodeLockFs(systemClock.now);
  let step = beginBreak(contest, found.name ?? { heartbeat: found.heartbeat });
  while (step.effect && step.state.at !== 'looking')
    step = decideAcquire(step.state, fs.perform(step.effect), systemClock.monotonic());
  if (step.state.at === 'broken') throw ioError(target.file, step.state.doing, step.state.error);
  if (step.state.at !== 'owned') return false;
  runToEnd(fs, beginRelease(contest), decideRelease);
  wakeNext(target);
  emit({ type: 'lock.stolen', path: target.file, from: found.holder });
  return true;
}

/** The owner first, then the counter: if it still holds the lock at the takeover, it did when the counter was read. */
function find(target: Target, token: string | number): Found | undefined {
  try {
    const found = lookAt(target.lock);
    if (!found) return undefined;
    const fits = typeof token === 'string' ? found.owner === token : readCounter(counterOf(target)) === token;
    return fits ? found : undefined;
  } catch (error) {
    throw ioError(target.file, 'look at the lock of', error);
  }
}
