import type { JournalFile, JournalFileSystem } from './file-system.js';
import { syncDirectory } from './file-system.js';
import type { JournalOwnership } from './ownership.js';
import type { Verdict } from './scan.js';

/**
 * The five steps on which every promise of the journal stands. They are one object so that the simulation can replace each
 * with a wrong one and show that it notices.
 */
export interface Protocol {
  /** Before anyone is told that bytes are stored, they are. */
  makeDurable(file: JournalFile): Promise<void>;
  /** Before anyone relies on a name in `dir`, it is stored. */
  makeNamesDurable(fs: JournalFileSystem, dir: string, onUnsupported: (error: unknown) => void): Promise<void>;
  /** Only what the scan vouches for survives a crash. */
  keptBytes(verdict: Verdict): number;
  /** Every slice of a snapshot reaches the file. */
  snapshotSlice(lines: string[], slice: number): string;
  /** Nothing is resolved unless this process still owned the directory after the bytes were durable. */
  confirmOwned(owner: JournalOwnership): void;
}

export const protocol: Protocol = {
  makeDurable: (file) => file.datasync(),
  makeNamesDurable: syncDirectory,
  keptBytes: (verdict) => verdict.goodBytes,
  snapshotSlice: (lines) => lines.join(''),
  confirmOwned: (owner) => owner.assertHeld(),
};
