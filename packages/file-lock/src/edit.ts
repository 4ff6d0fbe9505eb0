import { FileLockError } from './errors.js';
import { DEFAULTS, invalid } from './options.js';
import type { UpdateOptions, UpdateResult } from './update-file.js';
import { updateFile, updateSettings } from './update-file.js';
import { readVersioned } from './version.js';

/** A long step without the lock, and a short one with it. */
export interface Edit<P> {
  /** Works on the text as it is now (null: no file), for as long as it takes; nobody waits for it. */
  think(base: string | null): P | Promise<P>;
  /**
   * Brings the proposal into the text as it is by then, under the lock. `undefined` says that it no longer fits: `think`
   * starts over on the new text.
   */
  merge(current: string | null, proposal: P, base: string | null): string | undefined | Promise<string | undefined>;
}

export interface EditOptions extends Omit<UpdateOptions, 'ifVersion'> {
  /**
   * How often `think` may run, the first time included.
   * @defaultValue 3
   */
  maxAttempts?: number | undefined;
}

/**
 * Changes a file by a step too long to hold a lock for (a person, a model, a network call): `think` runs without the lock
 * on a version of the file, then `merge` runs shortly under it on what the file has become. No change made meanwhile is
 * lost, unless `merge` drops it.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects as {@link updateFile}, with what `think` or `merge` threw, and FILE_LOCK_STALE_VERSION after
 * `maxAttempts` proposals that `merge` refused; then the file has not been changed
 */
export function edit<P>(path: string, steps: Edit<P>, options: EditOptions = {}): Promise<UpdateResult> {
  const { maxAttempts = DEFAULTS.maxAttempts, ...update } = options;
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1)
    throw invalid('maxAttempts', 'must be a whole number, at least 1', maxAttempts);
  updateSettings(update);
  return editNow(path, steps, update, maxAttempts);
}

async function editNow<P>(
  path: string,
  steps: Edit<P>,
  options: UpdateOptions,
  attempts: number,
): Promise<UpdateResult> {
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    const base = await readVersioned(path);
    const proposal = await steps.think(base.data);
    let refused = false;
    const result = await updateFile(
      path,
      async (current) => {
        const text = await steps.merge(current, proposal, base.data);
        refused = text === undefined;
        return text;
      },
      options,
    );
    if (!refused) return result;
    if (attempt < attempts) continue;
    const message = `the file has changed under each of ${attempts} proposals and merge refused them; nothing was written to ${path}`;
    throw new FileLockError('FILE_LOCK_STALE_VERSION', message, { path, version: result.version });
  }
}
