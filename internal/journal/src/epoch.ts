import { join } from 'node:path';
import { codeOf, type JournalFileSystem } from './file-system.js';
import { epochName, newestEpoch } from './layout.js';
import type { JournalOwnership } from './ownership.js';

/** The epoch that an owner works in, and the one it found. */
export interface Epoch {
  old: number | undefined;
  now: number;
}

/**
 * Moves the epoch directory to a new name, which takes every path away from an earlier owner that may wake up, and resolves
 * with the new epoch. Order matters: names are listed, then ownership is checked, then the directory is renamed, so that
 * the rename of an owner that lost the directory in between finds nothing under the listed name.
 */
export async function enterEpoch(fs: JournalFileSystem, dir: string, owner: JournalOwnership): Promise<Epoch> {
  for (;;) {
    const old = newestEpoch(await fs.readdir(dir));
    const now = (old ?? 0) + 1;
    owner.assertHeld();
    try {
      if (old === undefined) await fs.mkdir(join(dir, epochName(now)), { recursive: false, mode: 0o700 });
      else await fs.rename(join(dir, epochName(old)), join(dir, epochName(now)));
      return { old, now };
    } catch (error) {
      // A late rename by an owner that lost the directory: look again.
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/**
 * Gives the directory its old name back, for an owner that changed nothing in it: a refused open leaves everything as it was.
 * An earlier owner that wakes up has its paths again, which harms nothing: it can't resolve an append any more, and
 * whoever opens next takes them away anew. If the rename fails, the directory keeps its new name, which means the same.
 */
export async function leaveEpoch(
  fs: JournalFileSystem,
  dir: string,
  owner: JournalOwnership,
  epoch: Epoch,
): Promise<void> {
  if (epoch.old === undefined) return;
  try {
    owner.assertHeld();
    await fs.rename(join(dir, epochName(epoch.now)), join(dir, epochName(epoch.old)));
  } catch {
    // Lost, or a disk that fails: why the open is refused is the error to tell.
  }
}
