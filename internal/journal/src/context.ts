import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import type { Clock } from '@holdfast/clock';
import type { JournalEvent } from './contract.js';
import { codeOf, type JournalFile, type JournalFileSystem, nodeFileSystem, writeFully } from './file-system.js';
import { headerLine } from './header.js';
import { TEMPORARY } from './layout.js';
import { acquireDirectory, type JournalOwnership } from './ownership.js';
import { type Protocol, protocol } from './protocol.js';

/** What a journal stands on; tests give their own. */
export interface Collaborators {
  fs: JournalFileSystem;
  protocol: Protocol;
  /** Becomes the owner of the directory. */
  acquire: typeof acquireDirectory;
  /** Lets other work run. */
  nextTurn(): Promise<void>;
}

export const collaborators: Collaborators = {
  fs: nodeFileSystem,
  protocol,
  acquire: acquireDirectory,
  nextTurn: () => immediate(),
};

/** An epoch directory that this process owns, and how it makes files there. */
export interface Workplace extends Collaborators {
  /** The journal's directory, and the present epoch's in it. */
  dir: string;
  epochDir: string;
  epoch: number;
  owner: JournalOwnership;
  clock: Clock;
  emit(event: JournalEvent): void;
  onUnsupported(error: unknown): void;
}

/** Makes the names in the epoch directory durable. */
export function syncNames(place: Workplace): Promise<void> {
  return place.protocol.makeNamesDurable(place.fs, place.epochDir, place.onUnsupported);
}

/**
 * Makes the file `name` come into being whole: header, what `write` adds, fsync, rename. The caller makes the name durable.
 * Resolves with the open file and its size. A failure leaves at most a temporary file behind.
 */
export async function createWhole(
  place: Workplace,
  name: string,
  write: (file: JournalFile, at: number) => Promise<number>,
  options: { header: boolean } = { header: true },
): Promise<{ file: JournalFile; size: number }> {
  const temporary = join(place.epochDir, name + TEMPORARY);
  const file = await createNew(place.fs, temporary);
  try {
    let size = 0;
    if (options.header) {
      const header = Buffer.from(headerLine(name, place.epoch, place.clock.now()));
      await writeFully(file, header, 0);
      size = header.length;
    }
    size = await write(file, size);
    await place.protocol.makeDurable(file);
    await place.fs.rename(temporary, join(place.epochDir, name));
    return { file, size };
  } catch (error) {
    await file.close();
    await place.fs.unlink(temporary).catch(() => undefined); // swept by the next open
    throw error;
  }
}

/** A leftover of this name may still be open in an owner that was stopped while it wrote: it goes, and never is written to. */
async function createNew(fs: JournalFileSystem, path: string): Promise<JournalFile> {
  try {
    return await fs.open(path, 'wx', 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    await fs.unlink(path);
    return fs.open(path, 'wx', 0o600);
  }
}
