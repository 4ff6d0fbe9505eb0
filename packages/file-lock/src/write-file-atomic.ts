import { renameSync } from 'node:fs';
import { systemClock } from '@holdfast/clock';
import { createEmitter } from '@holdfast/observe';
import { ioError } from './errors.js';
import type { FileLockEvent } from './events.js';
import { mintName } from './identity.js';
import { checkPath, DEFAULTS } from './options.js';
import type { FileData } from './replace.js';
import { removeQuietly, syncDirectoryOf, writeStage } from './replace.js';
import { sweepSometimes } from './sweep.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';

export interface WriteOptions {
  /**
   * False leaves out both syncs: still never torn for readers and after a killed process, but not safe in a power cut.
   * @defaultValue true
   */
  fsync?: boolean | undefined;
  onEvent?: ((event: FileLockEvent) => void) | undefined;
}

/**
 * Replaces the file at `path` by `data`: complete new file beside it, fsync, rename, fsync of the directory.
 *
 * Guaranteed: readers and a restart see the old or the new bytes whole; a full disk, a short write or a failed sync
 * rejects and leaves the old file; mode is kept; a symlink's target is replaced, not the link. Not guaranteed: it takes
 * no lock, so of two writers at the same time the last one wins: use `updateFile` to change what is there. Hard links,
 * ACLs and extended attributes stay with the old file.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_IO
 */
export function writeFileAtomic(path: string, data: FileData, options: WriteOptions = {}): Promise<void> {
  checkPath(path);
  return writeNow(path, data, options);
}

async function writeNow(path: string, data: FileData, options: WriteOptions): Promise<void> {
  const target = resolveTarget(path);
  sweepSometimes(target, systemClock);
  const fsync = options.fsync ?? DEFAULTS.fsync;
  const stage = `${target.lock}.w-${mintName()}`;
  await putInPlace(target, stage, data, fsync);
  if (fsync) syncDirectoryOf(target, createEmitter('file-lock', options.onEvent));
}

async function putInPlace(target: Target, stage: string, data: FileData, fsync: boolean): Promise<void> {
  try {
    await writeStage(stage, data, target.file, { fsync });
    renameSync(stage, target.file);
  } catch (error) {
    removeQuietly(stage);
    throw ioError(target.file, 'replace', error);
  }
}
