import type { Holder } from './identity.js';

/** What happened to a lock. Flat, JSON-safe, without file content. Also published on the diagnostics channel `holdfast.file-lock`. */
export type FileLockEvent =
  /** The first attempt found the lock held; once an acquisition. */
  | { type: 'lock.waiting'; path: string; holder: Holder }
  /** The lock is mine. `takenFrom` is the pid of the dead or stale owner it was taken from. */
  | { type: 'lock.acquired'; path: string; waitedMs: number; takenFrom?: number | undefined }
  /** The first in line let the free lock lie (stopped, blocked, on a dead machine): its turn went to the next. */
  | { type: 'lock.passed-over'; path: string; pid?: number | undefined }
  /** An owner was replaced: proven dead, or without a heartbeat for `staleMs`. */
  | { type: 'lock.stolen'; path: string; from: Holder }
  /** My hold was taken by somebody else. Its `signal` has aborted. */
  | { type: 'lock.lost'; path: string }
  | { type: 'lock.released'; path: string; heldMs: number }
  /** Somebody who takes no lock has changed the file while an update of it was under way. */
  | { type: 'file.changed-outside'; path: string }
  /** No worker thread could be started or it ended: a blocked event loop now loses the lock after `staleMs`. */
  | { type: 'heartbeat.unguarded'; path: string; reason: string }
  /** The file system can't sync a directory; said once a directory. The rename itself is done. */
  | { type: 'directory.unsynced'; path: string; code: string };
