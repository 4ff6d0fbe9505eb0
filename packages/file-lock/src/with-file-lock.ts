import { acquire } from './acquire.js';
import type { Hold } from './hold.js';
import type { AcquireOptions } from './options.js';

/**
 * Runs `fn` while holding the lock on `path` and always releases it.
 *
 * If the lock is lost meanwhile, the call rejects FILE_LOCK_LOST even if `fn` resolves: its work may have overlapped with
 * another holder's. What `fn` throws goes through unchanged.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns what `fn` returned; rejects as {@link acquire}, as `fn`, or FILE_LOCK_LOST
 */
export function withFileLock<T>(
  path: string,
  fn: (hold: Hold) => T | Promise<T>,
  options?: AcquireOptions,
): Promise<T> {
  return runWith(acquire(path, options), fn);
}

async function runWith<T>(acquiring: Promise<Hold>, fn: (hold: Hold) => T | Promise<T>): Promise<T> {
  const hold = await acquiring;
  let result: T;
  try {
    result = await fn(hold);
  } catch (error) {
    // The failure of fn is what the caller must see; a loss has been reported by the hold's signal and event.
    await hold.release().catch(() => {});
    throw error;
  }
  await hold.release();
  return result;
}
