import type { Severity } from './alert.js';
import type { DeadReason, EscalationReason } from './life.js';
import type { Counts } from './store.js';
import type { VerdictKind } from './verdict.js';

/**
 * What `onEvent` and the diagnostics channel `holdfast.alert-delivery` get. Flat and JSON-safe: no alert bodies, no
 * secrets. Events observe: a listener that throws changes nothing.
 */
export type DeliveryEvent =
  | { type: 'delivery.opened'; store: string; pending: number; tornBytes: number; quarantinedBytes: number }
  | { type: 'delivery.closed'; pending: number; ms: number }
  | { type: 'alert.accepted'; id: string; severity: Severity; durable: boolean }
  | { type: 'alert.duplicate'; id: string }
  | { type: 'alert.recovered'; id: string; maybeRepeat: boolean }
  | {
      type: 'attempt.failed';
      id: string;
      channel: string;
      attempt: number;
      verdict: VerdictKind;
      ms: number;
      error: string;
    }
  | { type: 'alert.escalated'; id: string; from: string; to?: string; why: EscalationReason }
  | {
      type: 'alert.delivered';
      id: string;
      channel: string;
      attempts: number;
      ms: number;
      late: boolean;
      durable: boolean;
    }
  | { type: 'alert.coalesced'; id: string; into: string }
  | { type: 'alert.dead'; id: string; severity: Severity; reason: DeadReason; durable: boolean }
  | { type: 'alert.replayed'; id: string; asNew: boolean }
  | { type: 'delivery.partial'; id: string; channel: string; rejected: number }
  | { type: 'late-success.seen'; id: string; channel: string }
  | { type: 'hold.lost'; id: string }
  | { type: 'digest.made'; id: string; channel: string; count: number }
  | { type: 'dead-letter.evicted'; id: string; severity: Severity; reason: string; why: 'count' | 'bytes' | 'damaged' }
  | { type: 'channel.throttled'; channel: string; ms: number }
  | { type: 'channel.opened'; channel: string; ms: number; why: VerdictKind }
  | { type: 'channel.probed'; channel: string }
  | { type: 'channel.closed'; channel: string }
  | { type: 'self-alert.raised'; channel: string }
  | { type: 'self-alert.failed'; channel: string }
  | { type: 'heartbeat.sent' }
  | { type: 'heartbeat.failed'; reason: string }
  /** Something is wrong here, and silence is how the monitor learns of it. */
  | { type: 'heartbeat.withheld' }
  | { type: 'canary.delivered'; channel: string }
  | { type: 'canary.failed'; channel: string; reason: string }
  | { type: 'store.failed'; during: string; reason: string }
  | { type: 'store.notice'; name: string; reason: string }
  | { type: 'mirror.failed'; reason: string }
  | { type: 'critical-hook.failed'; id: string; reason: string }
  | ({ type: 'law.violated' } & Counts);
