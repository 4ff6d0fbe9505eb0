import { contendFor } from './acquire.js';
import { insideLock } from './deadlock.js';
import type { Hold } from './hold.js';
import type { AcquireOptions, AcquireSettings } from './options.js';
import { acquireSettings, checkPath } from './options.js';
import { resolveTarget } from './target.js';

/**
 * Runs `fn` while holding the lock on `path` and always releases it.
 *
 * If the lock is lost meanwhile, the call rejects FILE_LOCK_LOST even if `fn` resolves: its work may have overlapped with
 * another holder's. What `fn` throws goes through unchanged. Locking the same file again inside `fn` rejects
 * FILE_LOCK_DEADLOCK at once.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns what `fn` returned; rejects as {@link acquire}, as `fn`, or FILE_LOCK_LOST
 */
export function withFileLock<T>(
  path: string,
  fn: (hold: Hold) => T | Promise<T>,
  options?: AcquireOptions,
): Promise<T> {
  checkPath(path);
  return runUnderLock(path, fn, acquireSettings(options));
}

async function runUnderLock<T>(
  path: string,
  fn: (hold: Hold) => T | Promise<T>,
  settings: AcquireSettings,
): Promise<T> {
  settings.signal?.throwIfAborted();
  const target = resolveTarget(path);
  const hold = await contendFor(target, settings);
  let result: T;
  try {
    result = await insideLock(target, () => fn(hold));
  } catch (error) {
    // The caller must see the failure of fn; a loss has been told by the hold's signal and the event.
    await hold.release().catch(() => {});
    throw error;
  }
  await hold.release();
  return result;
}
