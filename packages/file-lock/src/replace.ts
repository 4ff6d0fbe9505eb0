import { closeSync, fsyncSync, openSync, unlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, stat } from 'node:fs/promises';
import { ioError, systemCode } from './errors.js';
import type { FileLockEvent } from './events.js';
import type { Target } from './target.js';

/** What a file is replaced with. */
export type FileData = string | Uint8Array;

/** Mode of a file that did not exist: as `open` would make it, the process's umask applied. */
const NEW_FILE_MODE = 0o666;

/**
 * Writes a new file completely and syncs it, or rejects and leaves none. It takes over mode and, where the process may,
 * owner and group of `like`, the file it is going to replace.
 *
 * `writeFile` on the handle loops until every byte is written: a single `write` may be cut short by a full disk without
 * an error, and renaming that file into place would destroy the old one.
 */
export async function writeStage(
  stage: string,
  data: FileData,
  like: string,
  options: { fsync: boolean },
): Promise<void> {
  const before = await stat(like).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  const handle = await open(stage, 'wx', NEW_FILE_MODE);
  try {
    await handle.writeFile(data);
    if (before) await keepOwnership(handle, before);
    if (options.fsync) await handle.sync();
  } catch (error) {
    await handle.close().catch(() => {});
    removeQuietly(stage);
    throw error;
  }
  await handle.close();
}

async function keepOwnership(handle: FileHandle, before: { mode: number; uid: number; gid: number }): Promise<void> {
  const now = await handle.stat();
  if (now.uid !== before.uid || now.gid !== before.gid) {
    // Only root may give files away; another owner's file keeps its mode and becomes ours.
    await handle.chown(before.uid, before.gid).catch(() => {});
  }
  if ((now.mode & 0o7777) !== (before.mode & 0o7777)) await handle.chmod(before.mode & 0o7777);
}

/**
 * Makes a rename in the target's directory survive a power cut. Where the file system can't do that, says so once a
 * directory and goes on: the rename itself is done.
 */
export function syncDirectoryOf(target: Target, emit: (event: FileLockEvent) => void): void {
  let fd: number | undefined;
  try {
    fd = openSync(target.directory, 'r');
    fsyncSync(fd);
  } catch (error) {
    const code = systemCode(error);
    if (!CANNOT_SYNC.has(code)) throw ioError(target.file, 'sync the directory of', error);
    if (unsynced.has(target.directory)) return;
    unsynced.add(target.directory);
    emit({ type: 'directory.unsynced', path: target.directory, code });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Said by file systems and platforms that do not sync directories; anything else is a real failure. */
const CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'EACCES']);

const unsynced = new Set<string>();

export function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone, or the directory with it: nothing is left to clean.
  }
}
