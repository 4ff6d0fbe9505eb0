import type { StoredAlert } from './alert.js';
import type { VerdictKind } from './verdict.js';

/**
 * One thing that happened to an alert. Small and flat: it is what the journal keeps, what `explain` shows, and what the
 * state of an alert is folded from. `at` is epoch milliseconds.
 */
export type LifeEvent =
  /** From here an attempt on `channel` may have left the process. Durable before the attempt. */
  | {
      readonly type: 'started';
      readonly at: number;
      readonly channel: string;
      readonly run: string;
      readonly digest?: string;
    }
  | {
      readonly type: 'attempted';
      readonly at: number;
      readonly channel: string;
      readonly attempt: number;
      readonly ms: number;
      readonly verdict: VerdictKind;
      readonly error: string;
      readonly retryAfterMs?: number;
      readonly minimal?: true;
      readonly repeat?: true;
    }
  /** Nothing is sent for `ms`: a pause before a retry, or a channel that asked for one. */
  | {
      readonly type: 'waited';
      readonly at: number;
      readonly channel: string;
      readonly why: WaitReason;
      readonly ms: number;
    }
  | {
      readonly type: 'escalated';
      readonly at: number;
      readonly channel: string;
      readonly to?: string;
      readonly why: EscalationReason;
    }
  | {
      readonly type: 'delivered';
      readonly at: number;
      readonly channel: string;
      readonly attempt: number;
      readonly ms: number;
      readonly late?: true;
      readonly repeat?: true;
      readonly receipt?: string;
      readonly rejected?: readonly string[];
    }
  /** A copy for the channel that got the firing; never the end of an alert. */
  | {
      readonly type: 'copied';
      readonly at: number;
      readonly channel: string;
      readonly attempt: number;
      readonly ms: number;
    }
  | {
      readonly type: 'coalesced';
      readonly at: number;
      readonly into: string;
      readonly channel?: string;
      readonly attempt?: number;
      readonly ms?: number;
    }
  | { readonly type: 'dead'; readonly at: number; readonly reason: DeadReason }
  | { readonly type: 'replayed'; readonly at: number; readonly asNew?: true }
  /** Another process, or another life of this one, took the alert over. */
  | { readonly type: 'recovered'; readonly at: number; readonly run: string };

export type WaitReason = 'backoff' | 'throttled' | 'busy';
export type EscalationReason =
  | 'exhausted'
  | 'rejected'
  | 'channelDown'
  | 'breaker-open'
  | 'throttled'
  | 'ambiguous'
  | 'deadline';
export type DeadReason = EscalationReason | 'no-route';

/** One attempt, as outcomes and dead letters show it. */
export interface Attempt {
  readonly channel: string;
  /** Counts from 1 on each channel. */
  readonly attempt: number;
  /** Epoch milliseconds of its end. */
  readonly at: number;
  readonly ms: number;
  readonly verdict: 'delivered' | VerdictKind;
  readonly error?: string;
}

/** How an alert ended, or that it waits for the next start. */
export type Outcome =
  | {
      readonly status: 'delivered';
      readonly id: string;
      readonly channel: string;
      readonly attempts: readonly Attempt[];
      /** The channel answered after its time was up. */
      readonly late?: true;
      /** The journal could not be written: nothing of this survives a crash. */
      readonly durable?: false;
    }
  /** `into` names the digest, or the alert that stands for this one. */
  | { readonly status: 'coalesced'; readonly id: string; readonly into: string; readonly durable?: false }
  | {
      readonly status: 'dead';
      readonly id: string;
      readonly reason: DeadReason;
      readonly attempts: readonly Attempt[];
      readonly durable?: false;
    }
  /** Accepted and safe in the store, not yet delivered: the next start goes on with it. */
  | { readonly status: 'journaled'; readonly id: string };

/** Everything that is known of one alert. */
export interface AlertRecord {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly acceptedAt: number;
  /** Absent only where history kept the outcome and let the body go. */
  readonly alert?: StoredAlert;
  readonly events: readonly LifeEvent[];
}

/** What `explain` answers: what happened to one alert, in order. */
export interface Timeline extends AlertRecord {
  readonly status: 'pending' | 'delivered' | 'coalesced' | 'dead';
  readonly outcome?: Outcome;
  /** Taken over after a crash or a stop at least once. */
  readonly recovered: boolean;
}

/** What the next attempt needs to know of the past ones, folded from the events. */
export interface Progress {
  /** Channels that were given up, in order; not tried again in this life unless a replay asks for it. */
  readonly exhausted: ReadonlySet<string>;
  /** Channels where an attempt may have arrived without our knowing. */
  readonly maybeArrived: ReadonlySet<string>;
  /** Attempts made so far, per channel. */
  readonly attempts: ReadonlyMap<string, number>;
  /** Changed by `replay({ asNew })`: part of the idempotency key. */
  readonly generation: number;
  readonly recovered: boolean;
}

/** The terminal event, if the alert has ended. */
export type EndEvent = Extract<LifeEvent, { type: 'delivered' | 'coalesced' | 'dead' }>;

export function isEnd(event: LifeEvent): event is EndEvent {
  return event.type === 'delivered' || event.type === 'coalesced' || event.type === 'dead';
}

/** The last end that no replay has undone. */
export function endOf(events: readonly LifeEvent[]): EndEvent | undefined {
  for (let index = events.length - 1; index >= 0; index--) {
    const event = events[index]!;
    if (event.type === 'replayed') return undefined;
    if (isEnd(event)) return event;
  }
  return undefined;
}

/** Of an alert to which nothing has happened: one object for all. */
const NOTHING: Progress = {
  exhausted: new Set(),
  maybeArrived: new Set(),
  attempts: new Map(),
  generation: 0,
  recovered: false,
};

/** Folds the events of one alert into what the next attempt needs. Pure, and the same for the same events. */
export function progressOf(events: readonly LifeEvent[]): Progress {
  if (events.length === 0) return NOTHING;
  const exhausted = new Set<string>();
  const maybeArrived = new Set<string>();
  const attempts = new Map<string, number>();
  let generation = 0;
  let recovered = false;
  for (const event of events) {
    switch (event.type) {
      case 'started':
        maybeArrived.add(event.channel);
        break;
      case 'attempted':
        attempts.set(event.channel, event.attempt);
        // What was unknown before stays unknown: a later clean refusal says nothing about the attempt that timed out.
        if (event.verdict === 'ambiguous') maybeArrived.add(event.channel);
        else if (!event.repeat) maybeArrived.delete(event.channel);
        break;
      case 'escalated':
        if (event.why !== 'breaker-open' && event.why !== 'throttled') exhausted.add(event.channel);
        break;
      case 'replayed':
        exhausted.clear();
        attempts.clear();
        if (event.asNew) {
          generation++;
          maybeArrived.clear();
        }
        break;
      case 'recovered':
        recovered = true;
        break;
      case 'waited':
      case 'copied':
      case 'delivered':
      case 'coalesced':
      case 'dead':
        break;
    }
  }
  // A channel that was given up and may have got it is tried again after a crash: once more is better than never.
  if (recovered) for (const channel of maybeArrived) exhausted.delete(channel);
  return { exhausted, maybeArrived, attempts, generation, recovered };
}

/** The attempts among the events, oldest first. */
export function attemptsOf(events: readonly LifeEvent[]): Attempt[] {
  const attempts: Attempt[] = [];
  for (const event of events) {
    if (event.type === 'attempted') {
      const { channel, attempt, at, ms, verdict, error } = event;
      attempts.push({ channel, attempt, at, ms, verdict, error });
    } else if (event.type === 'delivered') {
      attempts.push({
        channel: event.channel,
        attempt: event.attempt,
        at: event.at,
        ms: event.ms,
        verdict: 'delivered',
      });
    }
  }
  return attempts;
}

/** The outcome that the events amount to; `undefined` while the alert is pending. */
export function outcomeOf(id: string, events: readonly LifeEvent[], durable = true): Outcome | undefined {
  const end = endOf(events);
  const undurable = durable ? {} : ({ durable: false } as const);
  switch (end?.type) {
    case undefined:
      return undefined;
    case 'delivered':
      return {
        status: 'delivered',
        id,
        channel: end.channel,
        attempts: attemptsOf(events),
        ...(end.late && { late: true }),
        ...undurable,
      };
    case 'coalesced':
      return { status: 'coalesced', id, into: end.into, ...undurable };
    case 'dead':
      return { status: 'dead', id, reason: end.reason, attempts: attemptsOf(events), ...undurable };
  }
}

/** An alert's record with its status, outcome and whether it was ever taken over. */
export function timelineOf(record: AlertRecord): Timeline {
  const outcome = outcomeOf(record.id, record.events);
  return {
    ...record,
    status: outcome === undefined || outcome.status === 'journaled' ? 'pending' : outcome.status,
    ...(outcome && { outcome }),
    recovered: record.events.some((event) => event.type === 'recovered'),
  };
}
