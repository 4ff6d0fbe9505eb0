import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { FileLockError, ioError, systemCode } from './errors.js';

/** A file and its lock, by one name however it was spelled. */
export interface Target {
  /** Absolute; every symlink resolved, also that of the file itself, which need not exist. */
  readonly file: string;
  readonly directory: string;
  readonly lock: string;
}

/** As many links as Linux follows before ELOOP (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Finds the file behind `path`: two spellings (relative, `a/../f`, a symlinked directory, a symlink to the file) give
 * one lock, and a replace goes to the link's target. Throws `FILE_LOCK_IO` at once if the directory does not exist.
 */
export function resolveTarget(path: string): Target {
  let file = resolve(path);
  try {
    for (let links = 0; ; links++) {
      const directory = realpathSync(dirname(file));
      file = join(directory, basename(file));
      const link = linkOf(file);
      if (link === undefined) return { file, directory, lock: `${file}.lock` };
      if (links >= MOST_LINKS) throw new Error(`ELOOP: more than ${MOST_LINKS} symbolic links`);
      file = resolve(directory, link);
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw ioError(path, 'resolve', error);
    throw new FileLockError('FILE_LOCK_IO', `the directory of ${file} does not exist; create it first`, {
      path: file,
      cause: error,
    });
  }
}

function linkOf(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch (error) {
    // EINVAL: not a link. UNKNOWN: the same on Windows.
    if (['EINVAL', 'ENOENT', 'UNKNOWN'].includes(systemCode(error))) return undefined;
    throw error;
  }
}
