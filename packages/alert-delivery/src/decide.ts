import type { DeadReason, EscalationReason } from './life.js';
import type { Verdict } from './verdict.js';

/** What the decision needs to know of a step. */
export interface StepFacts {
  readonly name: string;
  readonly timeoutMs: number;
}

/** How a step ended for one alert. */
export interface StepEnd {
  readonly why: EscalationReason;
  /** At least one attempt was made. */
  readonly attempted: boolean;
}

export type NextMove =
  /** Try this step; attempts and pauses must end by `limitMs`, on the last step by `limitMs` or one reserved attempt. */
  | {
      readonly kind: 'try';
      readonly index: number;
      readonly last: boolean;
      readonly limitMs: number;
      readonly reserveMs: number;
    }
  /** Every breaker was open and nothing was attempted: once, through the breaker. */
  | { readonly kind: 'force'; readonly index: number; readonly reserveMs: number }
  | { readonly kind: 'dead'; readonly reason: DeadReason };

/**
 * Which step comes next for an alert. Pure.
 *
 * Later steps keep a reserve (one attempt, at most their equal share of the deadline), so that a slow first step can't
 * starve the last. If all breakers refused and nothing was ever sent, the least recently failed channel is tried once;
 * a channel that asked us to wait is never forced.
 */
export function nextMove(
  route: readonly StepFacts[],
  ended: ReadonlyMap<string, StepEnd>,
  time: { readonly deadlineAtMs: number; readonly deadlineMs: number },
  channels: { readonly lastFailedAtMs: (name: string) => number },
  forced: boolean,
): NextMove {
  if (route.length === 0) return { kind: 'dead', reason: 'no-route' };
  const reserve = (step: StepFacts): number => Math.min(step.timeoutMs, time.deadlineMs / route.length);
  const index = route.findIndex((step) => !ended.has(step.name));
  if (index !== -1) {
    let last = true;
    let limitMs = time.deadlineAtMs;
    for (let later = index + 1; later < route.length; later++) {
      const step = route[later]!;
      if (ended.has(step.name)) continue;
      last = false;
      limitMs -= reserve(step);
    }
    return { kind: 'try', index, last, limitMs, reserveMs: reserve(route[index]!) };
  }
  const ends = route.map((step) => ended.get(step.name)!);
  if (!forced && ends.every((end) => !end.attempted)) {
    let best: number | undefined;
    for (const [candidate, end] of ends.entries()) {
      if (end.why !== 'breaker-open') continue;
      if (
        best === undefined ||
        channels.lastFailedAtMs(route[candidate]!.name) < channels.lastFailedAtMs(route[best]!.name)
      ) {
        best = candidate;
      }
    }
    if (best !== undefined) return { kind: 'force', index: best, reserveMs: reserve(route[best]!) };
  }
  return { kind: 'dead', reason: ends.at(-1)!.why };
}

export type AfterFailure =
  | { readonly kind: 'retry'; readonly waitMs: number; readonly minimal: boolean }
  | { readonly kind: 'give-up'; readonly why: EscalationReason };

/** How often a message that is asked to wait may ask again, so that a provider that always says "in 0 s" ends. */
export const MAX_THROTTLES = 20;

/** What follows a failed attempt on the same channel. Pure. */
export function afterFailure(facts: {
  readonly verdict: Verdict;
  readonly retriesLeft: number;
  readonly throttles: number;
  readonly ambiguous: number;
  readonly minimal: boolean;
  readonly idempotent: boolean;
  readonly backoffMs: number;
  readonly nowMs: number;
  readonly limitMs: number;
}): AfterFailure {
  const { verdict, minimal } = facts;
  const fits = (waitMs: number): boolean => facts.nowMs + waitMs < facts.limitMs;
  switch (verdict.kind) {
    case 'channelDown':
      return { kind: 'give-up', why: 'channelDown' };
    case 'rejected':
      return minimal ? { kind: 'give-up', why: 'rejected' } : { kind: 'retry', waitMs: 0, minimal: true };
    case 'throttled':
      // The wait itself is the channel's gate, for this alert and every other.
      if (facts.throttles >= MAX_THROTTLES || !fits(verdict.retryAfterMs ?? 0))
        return { kind: 'give-up', why: 'throttled' };
      return { kind: 'retry', waitMs: 0, minimal };
    case 'ambiguous':
      if (!facts.idempotent && facts.ambiguous > 1) return { kind: 'give-up', why: 'ambiguous' };
      break;
    case 'transient':
      break;
  }
  if (facts.retriesLeft <= 0) return { kind: 'give-up', why: verdict.kind === 'ambiguous' ? 'ambiguous' : 'exhausted' };
  const waitMs = Math.max(facts.backoffMs, verdict.retryAfterMs ?? 0);
  return fits(waitMs) ? { kind: 'retry', waitMs, minimal } : { kind: 'give-up', why: 'deadline' };
}
