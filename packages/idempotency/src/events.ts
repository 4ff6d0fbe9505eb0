import type { ReplayReason, RunReason } from './decide.js';
import type { IdempotencyErrorCode, LeaseLossReason } from './errors.js';

/**
 * What happened, for logs and metrics. `key` is the caller's key, `id` the run's. Values and error messages are never part
 * of an event.
 */
export type IdempotencyEvent =
  | { type: 'run.started'; key: string; id: string; attempt: number; reason: RunReason }
  | { type: 'run.settled'; key: string; id: string; attempt: number; ms: number }
  | {
      type: 'run.released';
      key: string;
      id: string;
      attempt: number;
      ms: number;
      why: 'failed' | 'not-retained' | 'invalid-value';
      error: string | undefined;
    }
  | { type: 'run.lost'; key: string; id: string; attempt: number; ms: number; reason: LeaseLossReason }
  | { type: 'run.bypassed'; key: string; id: string }
  | { type: 'call.replayed'; key: string; reason: ReplayReason; ageMs: number; attempt: number }
  | { type: 'call.joined'; key: string; waitedMs: number }
  | { type: 'call.refused'; key: string; code: IdempotencyErrorCode; waitedMs: number }
  | { type: 'entry.evicted'; key: string; leftMs: number; why: 'no-room' | 'too-large' }
  | { type: 'store.opened'; store: string; namespace: string }
  | { type: 'store.failed'; store: string; operation: string; reason: string }
  | { type: 'store.closed'; store: string }
  /** A copy came later than its sender retries one delivery: it may have been meant. Only lanes that know `retryMs`. */
  | { type: 'call.absorbed_late'; key: string; ageMs: number; retryMs: number }
  | { type: 'http.key_ignored'; reason: 'alertmanager-body' }
  /** A request has a body and no parser is mounted before: bodies are not compared. */
  | { type: 'http.body_unread' };
