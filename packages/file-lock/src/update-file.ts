import { joinGroup } from './group.js';
import type { Hold } from './hold.js';
import type { AcquireOptions, AcquireSettings } from './options.js';
import { acquireSettings, checkPath, DEFAULTS, invalid } from './options.js';

/** Computes the new text from the present one (null: no file). `undefined` leaves the file as it is. */
export type Update = (current: string | null, hold: Hold) => string | undefined | Promise<string | undefined>;

export interface UpdateOptions extends Omit<AcquireOptions, 'failFast'> {
  /** Compare-and-swap: reject FILE_LOCK_STALE_VERSION, without calling `fn`, unless the file has this version. */
  ifVersion?: string | undefined;
  /**
   * What to do when somebody who takes no lock (an editor, a shell) has changed the file between the read and the commit:
   * `rerun` calls `fn` again with the new content; `reject` rejects FILE_LOCK_STALE_VERSION; `overwrite` goes on. Always
   * told by the event `file.changed-outside`. The last microseconds before the rename can't be watched.
   * @defaultValue 'rerun'
   */
  onExternalChange?: 'rerun' | 'reject' | 'overwrite' | undefined;
  /**
   * False leaves out the syncs: still never torn for readers and after a killed process, but not safe in a power cut.
   * @defaultValue true
   */
  fsync?: boolean | undefined;
}

export interface UpdateSettings extends AcquireSettings {
  readonly ifVersion: string | undefined;
  readonly onExternalChange: 'rerun' | 'reject' | 'overwrite';
  readonly fsync: boolean;
}

/** How an update ended. */
export interface UpdateResult {
  /** False if `fn` returned undefined or the text that is already there: then nothing was written. */
  readonly changed: boolean;
  /** The version that this update left. */
  readonly version: string;
  /** The fencing token under which it was written; shared by the updates of one group. */
  readonly token: number;
  /** From the call until `fn` ran, milliseconds. */
  readonly waitedMs: number;
}

/**
 * Changes a text file by a function of its present content, one change at a time, over all processes of the host.
 *
 * Guaranteed: no update is lost or done twice among users of this package; it resolves when the new text is durable;
 * readers see old or new, never a part; calls of one process run in their order and share one lock and one fsync where
 * they queue up (a throw in one `fn` fails that call alone). An owner that was replaced can't write. Not guaranteed: that
 * `fn` runs once: it runs again where the file was changed outside of the lock. Keep it short: others wait for it; for a
 * long step use `edit`.
 *
 * `hold` gives `token`, `signal` and `assertHeld()`; its `commit` and `release` belong to the update and reject.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_TIMEOUT, FILE_LOCK_LOST, FILE_LOCK_STALE_VERSION, FILE_LOCK_DEADLOCK, FILE_LOCK_INVALID_DATA,
 * FILE_LOCK_IO, with `signal.reason`, or with what `fn` threw; in all of these the file has not been changed by this call
 * (after an FILE_LOCK_IO from the directory's fsync it may have been)
 * @example
 * await updateFile('notes.md', (text) => `${text ?? ''}- one more line\n`);
 */
export function updateFile(path: string, fn: Update, options: UpdateOptions = {}): Promise<UpdateResult> {
  checkPath(path);
  return joinGroup(path, fn, updateSettings(options));
}

/** Checks `options` and fills in the defaults; throws FILE_LOCK_INVALID_OPTION. */
export function updateSettings(options: UpdateOptions): UpdateSettings {
  const onExternalChange = options.onExternalChange ?? DEFAULTS.onExternalChange;
  if (!['rerun', 'reject', 'overwrite'].includes(onExternalChange))
    throw invalid('onExternalChange', "must be 'rerun', 'reject' or 'overwrite'", onExternalChange);
  if (options.ifVersion !== undefined && typeof options.ifVersion !== 'string')
    throw invalid('ifVersion', 'must be a version that readVersioned or updateFile gave', options.ifVersion);
  return {
    ...acquireSettings(options),
    ifVersion: options.ifVersion,
    onExternalChange,
    fsync: options.fsync ?? DEFAULTS.fsync,
  };
}
