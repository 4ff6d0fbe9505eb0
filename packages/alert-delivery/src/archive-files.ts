import * as fsp from 'node:fs/promises';

/** An open file, as far as the archive uses one. A `FileHandle` of `node:fs/promises` is one. */
export interface ArchiveFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The system calls that the archive makes; the simulation gives some that fail, lose and crash. */
export interface ArchiveFileSystem {
  open(path: string, flags: 'r' | 'w', mode?: number): Promise<ArchiveFile>;
  mkdir(path: string, options: { recursive: boolean; mode: number }): Promise<string | undefined>;
  readdir(path: string): Promise<string[]>;
  unlink(path: string): Promise<void>;
}

export const nodeFiles: ArchiveFileSystem = {
  open: (path, flags, mode) => fsp.open(path, flags, mode),
  mkdir: (path, options) => fsp.mkdir(path, options),
  readdir: (path) => fsp.readdir(path),
  unlink: (path) => fsp.unlink(path),
};

/** Writes all of it; a file system that takes nothing counts as full. */
export async function writeAll(file: ArchiveFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten <= 0) throw Object.assign(new Error('ENOSPC: write took no bytes'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

/** Makes the names in a folder durable, where the file system can. The journal tells once of one that can't. */
export async function syncNames(files: ArchiveFileSystem, dir: string): Promise<void> {
  const handle = await files.open(dir, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes(String((error as { code?: unknown }).code))) throw error;
  } finally {
    await handle.close();
  }
}
