import type { State } from './lifecycle-state.js';

/**
 * What `onEvent` and the `node:diagnostics_channel` `holdfast.graceful-shutdown` are told: facts in the past tense, flat
 * and JSON-safe, without bodies or query strings.
 */
export type LifecycleEvent =
  | { type: 'lifecycle.state_changed'; from: State; to: State }
  | { type: 'lifecycle.shutdown_requested'; reason: string }
  | { type: 'component.started'; component: string; ms: number }
  | { type: 'component.start_failed'; component: string; ms: number; error: string }
  | { type: 'component.stopped'; component: string; ms: number }
  | { type: 'component.stop_failed'; component: string; ms: number; error: string }
  | { type: 'component.stop_overran'; component: string; ms: number }
  | { type: 'check.failed'; component: string; error: string }
  | { type: 'check.recovered'; component: string }
  | { type: 'server.listening'; component: string; address: string; port: number }
  | { type: 'drain.started'; component: string; connections: number; inFlight: number }
  | { type: 'drain.ended'; component: string; ms: number; timedOut: boolean; cut: number }
  | { type: 'connection.cut'; component: string; why: 'stalled' | 'timeout'; inFlight: number }
  | { type: 'connection.dropped'; component: string; maxConnections: number }
  | { type: 'request.body_timed_out'; component: string; method: string; path: string }
  | { type: 'request.unanswerable'; component: string; method: string; path: string }
  | { type: 'stream.told_goodbye'; component: string; kind: 'websocket' | 'event-stream' }
  | { type: 'job.failed'; job: string; ms: number; error: string }
  | { type: 'job.abandoned'; job: string; ms: number }
  | DeadlineEvent;

/** What `requestDeadline` tells. */
export type DeadlineEvent =
  | {
      type: 'deadline.exceeded';
      deadline: 'body' | 'handler';
      method: string;
      path: string;
      elapsedMs: number;
      /** The status that was sent, or 0 when an answer had already begun and only the signal aborted. */
      status: number;
    }
  | { type: 'deadline.answer_dropped'; method: string; path: string; status: number; lateMs: number };
