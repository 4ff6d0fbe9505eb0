import type { VerdictKind } from './verdict.js';

/** The three states that a breaker can be in. Times are monotonic milliseconds. */
export type BreakerState =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly until: number; readonly openMs: number }
  /** The open time is over: one attempt may try, `probing` while it does. */
  | { readonly state: 'half-open'; readonly probing: boolean; readonly openMs: number };

export interface BreakerOptions {
  readonly failures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
}

export type BreakerEvent =
  /** Somebody wants to send. */
  | { readonly type: 'asked' }
  /** An attempt that was let through has ended. */
  | { readonly type: 'ended'; readonly verdict: 'delivered' | VerdictKind; readonly probe: boolean }
  /** An attempt that was let through was never made. */
  | { readonly type: 'withdrawn'; readonly probe: boolean };

export const CLOSED: BreakerState = { state: 'closed', failures: 0 };

/**
 * The breaker's decision: the next state, and whether an attempt may go (`go`) and is the one probe.
 *
 * Counts consecutive failures by verdict: `transient` and `ambiguous` count, `channelDown` opens at once, `rejected` and
 * `throttled` say nothing about the channel's health. Each opening after a failed probe doubles the time.
 */
export function breaker(
  state: BreakerState,
  event: BreakerEvent,
  now: number,
  options: BreakerOptions,
): { state: BreakerState; go: boolean; probe: boolean } {
  const stay = { state, go: false, probe: false };
  if (event.type === 'asked') {
    if (state.state === 'closed') return { state, go: true, probe: false };
    if (state.state === 'open' && now < state.until) return stay;
    if (state.state === 'half-open' && state.probing) return stay;
    return { state: { state: 'half-open', probing: true, openMs: state.openMs }, go: true, probe: true };
  }
  if (event.type === 'withdrawn') {
    if (event.probe && state.state === 'half-open') return { ...stay, state: { ...state, probing: false } };
    return stay;
  }
  if (event.verdict === 'delivered') return { ...stay, state: CLOSED };
  const openMs = state.state === 'closed' ? options.openMs : Math.min(options.maxOpenMs, state.openMs * 2);
  const opened: BreakerState = { state: 'open', until: now + Math.min(openMs, options.maxOpenMs), openMs };
  switch (event.verdict) {
    case 'channelDown':
      return { ...stay, state: state.state === 'open' && !event.probe ? state : opened };
    case 'rejected':
    case 'throttled':
      return event.probe && state.state === 'half-open' ? { ...stay, state: { ...state, probing: false } } : stay;
    case 'transient':
    case 'ambiguous':
      if (event.probe) return { ...stay, state: opened };
      if (state.state !== 'closed') return stay;
      return {
        ...stay,
        state: state.failures + 1 >= options.failures ? opened : { state: 'closed', failures: state.failures + 1 },
      };
  }
}

/** Whether a send would be refused now, without asking for the probe. */
export function refuses(state: BreakerState, now: number): boolean {
  return (state.state === 'open' && now < state.until) || (state.state === 'half-open' && state.probing);
}
