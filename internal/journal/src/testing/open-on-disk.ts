import { setImmediate as immediate } from 'node:timers/promises';
import type { Journal, JournalOptions } from '../contract.js';
import { openJournalWith } from '../open.js';
import { resolveOptions } from '../options.js';
import type { JournalOwnership } from '../ownership.js';
import { protocol } from '../protocol.js';
import type { Conditions, MemoryDisk } from './memory-disk.js';

/** Who opened a directory of a disk last. */
const owners = new WeakMap<MemoryDisk, Map<string, object>>();

/**
 * Opens a journal whose files are on a disk in memory: the journal's own code, with system calls that do what `conditions`
 * say. Whoever opens a directory takes it over, as from an owner that is dead or can't be told from a dead one.
 */
export function openJournalOn<R>(
  disk: MemoryDisk,
  options: JournalOptions<R>,
  conditions: Conditions = {},
): Promise<Journal<R>> {
  const resolved = resolveOptions(options);
  return openJournalWith(resolved, {
    fs: disk.fileSystem(conditions),
    protocol,
    acquire: async () => takeOver(disk, resolved.dir),
    nextTurn: () => immediate(),
  });
}

function takeOver(disk: MemoryDisk, dir: string): JournalOwnership {
  const byDirectory = owners.get(disk) ?? new Map<string, object>();
  owners.set(disk, byDirectory);
  const self = {};
  byDirectory.set(dir, self);
  return {
    assertHeld() {
      if (byDirectory.get(dir) !== self) throw new Error(`${dir} was taken over`);
    },
    signal: new AbortController().signal,
    async release() {
      if (byDirectory.get(dir) === self) byDirectory.delete(dir);
    },
  };
}
