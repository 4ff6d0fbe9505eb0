import { FileLockError } from './errors.js';
import { joinGroup } from './group.js';
import type { Hold } from './hold.js';
import { checkPath } from './options.js';
import type { UpdateOptions, UpdateResult } from './update-file.js';
import { updateSettings } from './update-file.js';

/** Computes the new value from the present one (null: no file). `undefined` leaves the file as it is. */
export type JsonUpdate<T> = (current: T | null, hold: Hold) => T | undefined | Promise<T | undefined>;

/**
 * {@link updateFile} for a JSON file, written with two spaces of indentation and a final newline.
 *
 * A file that is no JSON (an empty one too) is refused: `fn` is not called and nothing is overwritten. `T` is what the
 * caller believes to be in the file; it is not checked.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects as {@link updateFile}; FILE_LOCK_INVALID_DATA also for a value that JSON can't hold
 */
export function updateJson<T>(path: string, fn: JsonUpdate<T>, options: UpdateOptions = {}): Promise<UpdateResult> {
  checkPath(path);
  return joinGroup(
    path,
    async (text, hold) => {
      const next = await fn(text === null ? null : parse<T>(path, text), hold);
      return next === undefined ? undefined : print(path, next);
    },
    updateSettings(options),
  );
}

function parse<T>(path: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    const message = `${path} is not JSON; nothing was changed. Repair or remove it: ${(error as Error).message}`;
    throw new FileLockError('FILE_LOCK_INVALID_DATA', message, { path, cause: error });
  }
}

function print(path: string, value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value, null, 2);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return `${text}\n`;
  throw new FileLockError('FILE_LOCK_INVALID_DATA', `the new value for ${path} can't be written as JSON`, {
    path,
    cause,
  });
}
