import * as fsp from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** An open file or directory, as far as the journal uses one. A `FileHandle` of `node:fs/promises` is one. */
export interface JournalFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  truncate(length: number): Promise<void>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  stat(): Promise<{ size: number }>;
  close(): Promise<void>;
}

/** The system calls that the journal makes. `node:fs/promises` has them; tests give one that fails, loses and crashes. */
export interface JournalFileSystem {
  open(path: string, flags: 'r' | 'w' | 'wx' | 'r+', mode?: number): Promise<JournalFile>;
  mkdir(path: string, options: { recursive: boolean; mode: number }): Promise<string | undefined>;
  readdir(path: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

/** The running machine's file system. */
export const nodeFileSystem: JournalFileSystem = {
  open: (path, flags, mode) => fsp.open(path, flags, mode),
  mkdir: (path, options) => fsp.mkdir(path, options),
  readdir: (path) => fsp.readdir(path),
  rename: (from, to) => fsp.rename(from, to),
  unlink: (path) => fsp.unlink(path),
};

/** What a file system says that has no fsync of directories. */
const UNSUPPORTED = new Set(['EINVAL', 'ENOTSUP', 'EPERM']);

/** Makes names in `dir` durable. Calls `onUnsupported` where the file system can't; any other failure rejects. */
export async function syncDirectory(
  fs: JournalFileSystem,
  dir: string,
  onUnsupported: (error: unknown) => void,
): Promise<void> {
  let handle: JournalFile | undefined;
  try {
    handle = await fs.open(dir, 'r');
    await handle.sync();
  } catch (error) {
    // EISDIR and EPERM at open are Windows; the three at fsync are file systems without it.
    if (!UNSUPPORTED.has(codeOf(error)) && !(handle === undefined && codeOf(error) === 'EISDIR')) throw error;
    onUnsupported(error);
  } finally {
    await handle?.close();
  }
}

/** Parents that somebody else made: they may not be read, or are part of a read-only system. */
const FOREIGN = new Set(['EACCES', 'EROFS']);

/**
 * Makes the names on the way from the root down to `dir` durable. Who made a directory may have been killed before that, so
 * it is not enough to do it for those that this call made.
 */
export async function syncParents(dir: string, sync: (parent: string) => Promise<void>): Promise<void> {
  for (let at = resolve(dir); at !== dirname(at); at = dirname(at))
    await sync(dirname(at)).catch((error: unknown) => {
      if (!FOREIGN.has(codeOf(error))) throw error;
    });
}

/** Writes all of `bytes` at `position`; a file system that takes nothing counts as full. */
export async function writeFully(file: JournalFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten <= 0) throw Object.assign(new Error('ENOSPC: write took no bytes'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

/** The `code` of a system error, or ''. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
