import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { FileLockError, ioError, systemCode } from './errors.js';
import { checkPath } from './options.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';

/** A file's text and its version, read together. */
export interface Versioned {
  /** null if there is no such file. */
  readonly data: string | null;
  /** A hash of the content (`absent` without a file): equal versions mean equal bytes. For `updateFile`'s `ifVersion`. */
  readonly version: string;
}

/** {@link Versioned}, and what shows that somebody has replaced or written the file since. */
export interface Snapshot extends Versioned {
  readonly stamp: string;
}

const ABSENT: Snapshot = { data: null, version: 'absent', stamp: 'absent' };

/**
 * Reads a file whole, without any lock: since every writer of this package replaces it by a rename, readers see one
 * version or the next, never a part.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_IO, or FILE_LOCK_INVALID_DATA if the content is not UTF-8 (rewriting it would damage it)
 */
export function readVersioned(path: string): Promise<Versioned> {
  checkPath(path);
  return readNow(path);
}

async function readNow(path: string): Promise<Versioned> {
  const { data, version } = await snapshot(resolveTarget(path));
  return { data, version };
}

/** The version of a text that is, or is going to be, a file's content. */
export function versionOf(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 32);
}

/** Reads the file with all that is needed to notice a change by somebody who takes no lock. */
export async function snapshot(target: Target): Promise<Snapshot> {
  let bytes: Buffer;
  let stamp: string;
  try {
    const handle = await open(target.file, 'r');
    try {
      stamp = stampOf(await handle.stat({ bigint: true }));
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ABSENT;
    throw ioError(target.file, 'read', error);
  }
  return { data: decode(target, bytes), version: versionOf(bytes), stamp };
}

/** What changes when a file is written or replaced: inode, size and times, to the nanosecond. */
export function stampOf(stat: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): string {
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}

function decode(target: Target, bytes: Buffer): string {
  try {
    // A byte order mark is content: it must be there again when the text is written back.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new FileLockError('FILE_LOCK_INVALID_DATA', `${target.file} is not UTF-8 text; nothing was changed`, {
      path: target.file,
      cause: error,
    });
  }
}
