import type { Proof } from './identity.js';

/**
 * The lock protocol as a pure state machine. `decideAcquire`, `decideCommit` and `decideRelease` (a file each) say which
 * single file system call comes next; a driver makes it and hands the result back as an event. Production (`runToEnd` in
 * `lock-fs.ts`) and the model check run this same code.
 *
 * Layout: `F.lock/` is a directory with the sticky bit; the lock is held iff it has one entry `o-<identity>/`.
 *
 *   claim     mkdir F.lock.new-<me>, mkdir F.lock.new-<me>/<me>, rename F.lock.new-<me> -> F.lock     (fails if not empty)
 *   take over touch F.lock/o-X, rename F.lock/o-X -> F.lock/<me>                   (compare-and-swap: one renamer wins)
 *   commit    write F.lock/<me>/s-1, rename F.lock/<me>/s-1 -> F         (the path is gone after a takeover: kernel refuses)
 *   release   rmdir F.lock/<me>, rmdir F.lock                              (fails on the first if lost; a successor is safe)
 *
 * Crash at any step leaves one of: nothing, a private `.new-` directory (swept), an empty sticky `F.lock` (free: only we
 * set the bit), or `F.lock/o-X` of a dead X (taken over; its staged files are removed by the successor).
 */

/** One file system call, or a proof about an owner's process. */
export type Effect =
  | { do: 'list'; path: string }
  | { do: 'stat'; path: string }
  | { do: 'prove'; name: string }
  | { do: 'mkdir'; path: string; marked: boolean }
  | { do: 'touch'; path: string }
  | { do: 'rename'; from: string; to: string }
  | { do: 'rmdir'; path: string }
  | { do: 'unlink'; path: string }
  | { do: 'stage'; path: string };

/** What came of an effect. */
export type Event =
  | { type: 'begin' }
  | { type: 'listed'; names: readonly string[] }
  | { type: 'statted'; heartbeat: number; marked: boolean }
  | { type: 'proved'; proof: Proof }
  | { type: 'done' }
  | { type: 'failed'; code: string; error?: unknown };

export type Step<S> = { state: S; effect: Effect | undefined };

/** When an owner may be replaced. */
export type Takeover = 'dead-or-stale' | 'dead-or-unproven' | 'dead-only';

/** Whose lock, which, and by which rules; fixed for one contender. */
export interface Contest {
  /** The lock directory, `F.lock`. */
  readonly lock: string;
  /** My name, `o-…`; new for every acquisition. */
  readonly me: string;
  readonly takeover: Takeover;
  readonly staleMs: number;
}

/** A heartbeat that I have seen unchanged since `sinceMs` on my own monotonic clock. */
export interface Observation {
  readonly heartbeat: number;
  readonly sinceMs: number;
}

/** Why a contender must wait. `owner` is undefined for a plain peer. */
export interface Held {
  readonly owner: string | undefined;
  readonly proof: Proof;
  readonly heartbeat: number;
}

/** My directory while I hold the lock. */
export function mine(contest: Contest): string {
  return `${contest.lock}/${contest.me}`;
}

/** Where a claim is prepared out of sight. */
export function privateDirectory(contest: Contest): string {
  return `${contest.lock}.new-${contest.me}`;
}

export function stagePath(contest: Contest, stage: string): string {
  return `${mine(contest)}/${stage}`;
}
