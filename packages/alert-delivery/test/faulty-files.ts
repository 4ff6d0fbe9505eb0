import { type Conditions, type MemoryDisk, openJournalOn } from '@holdfast/journal/testing';
import { fileBodies } from '../src/archive.js';
import { openFiles } from '../src/file-store.js';
import type { StoreDriver } from '../src/index.js';

/** The file store over a disk in memory, whose calls fail as `conditions` say. */
export function faultyFiles(disk: MemoryDisk, conditions: Conditions): StoreDriver {
  return {
    kind: 'file',
    open: async (context) => {
      const opened = await openFiles('/alerts', 'refuse', context, {
        openJournal: (options) => openJournalOn(disk, options, conditions),
        openBodies: (dir) => fileBodies(dir, disk.fileSystem(conditions)),
      });
      // No folder on the real disk for the readable copy.
      Object.defineProperty(opened, 'dir', { value: undefined });
      return opened;
    },
  };
}
