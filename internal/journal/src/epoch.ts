import { join } from 'node:path';
import { codeOf, type JournalFileSystem } from './file-system.js';
import { epochName, newestEpoch } from './layout.js';
import type { JournalOwnership } from './ownership.js';

/**
 * Moves the epoch directory to a new name, which takes every path away from an earlier owner that may wake up, and resolves
 * with the new epoch. Order matters: names are listed, then ownership is checked, then the directory is renamed, so that
 * the rename of an owner that lost the directory in between finds nothing under the listed name.
 */
export async function enterEpoch(fs: JournalFileSystem, dir: string, owner: JournalOwnership): Promise<number> {
  for (;;) {
    const old = newestEpoch(await fs.readdir(dir));
    const epoch = (old ?? 0) + 1;
    owner.assertHeld();
    try {
      if (old === undefined) await fs.mkdir(join(dir, epochName(epoch)), { recursive: false, mode: 0o700 });
      else await fs.rename(join(dir, epochName(old)), join(dir, epochName(epoch)));
      return epoch;
    } catch (error) {
      // A late rename by an owner that lost the directory: look again.
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
    }
  }
}
