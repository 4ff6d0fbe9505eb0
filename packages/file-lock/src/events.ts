import type { Holder } from './identity.js';

/** What happened to a lock. Flat, JSON-safe, without file content. Also published on the diagnostics channel `holdfast.file-lock`. */
export type FileLockEvent =
  /** The first attempt found the lock held; once an acquisition. */
  | { type: 'lock.waiting'; path: string; holder: Holder }
  /** The lock is mine. `takenFrom` is the pid of the dead or stale owner it was taken from. */
  | { type: 'lock.acquired'; path: string; waitedMs: number; takenFrom?: number | undefined }
  /** An owner was replaced: proven dead, or without a heartbeat for `staleMs`. */
  | { type: 'lock.stolen'; path: string; from: Holder }
  /** My hold was taken by somebody else. Its `signal` has aborted. */
  | { type: 'lock.lost'; path: string }
  | { type: 'lock.released'; path: string; heldMs: number }
  /** Somebody who takes no lock has changed the file while an update of it was under way. */
  | { type: 'file.changed-outside'; path: string }
  /** The file system can't sync a directory; said once a directory. The rename itself is done. */
  | { type: 'directory.unsynced'; path: string; code: string };
