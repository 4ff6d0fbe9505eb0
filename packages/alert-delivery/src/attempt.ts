import { hash } from 'node:crypto';
import type { Clock } from '@holdfast/clock';
import pTimeout from 'p-timeout';
import type { StoredAlert } from './alert.js';
import type { Channel, Receipt, SendContext } from './channel.js';
import type { StopSignal } from './stop.js';
import { type Failure, failureOf } from './verdict.js';

export type AttemptResult =
  | { readonly kind: 'delivered'; readonly receipt: Receipt | undefined; readonly ms: number }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly ms: number }
  /** The parcel was stopped; whether the message arrived is not known. */
  | { readonly kind: 'stopped'; readonly ms: number };

const TIMED_OUT = Symbol('timed out');

/**
 * One attempt: the channel's promise against a hard limit, with an own AbortController. Never rejects.
 *
 * The limit holds for a channel that ignores its signal. A promise that succeeds after it was given up is reported to
 * `onLate` once. No `AbortSignal.any` and no `AbortSignal.timeout`: they keep memory until their timer fires.
 */
export async function attempt(
  parcel: { readonly alert: StoredAlert; readonly controller: StopSignal },
  channel: Channel,
  limitMs: number,
  clock: Clock,
  facts: Omit<SendContext, 'signal' | 'remainingMs'> & { readonly onLate: (ms: number, attempt: number) => void },
): Promise<AttemptResult> {
  const { alert, controller: stop } = parcel;
  const begun = clock.monotonic();
  const elapsed = (): number => Math.round(clock.monotonic() - begun);
  // Made when a channel asks for it: many never do, and an AbortController costs more than the rest of an attempt's set-up.
  let controller: AbortController | undefined;
  let over: { readonly reason: unknown } | undefined;
  const abort = (reason: unknown): void => {
    over = { reason };
    controller?.abort(reason);
  };
  const { attempt: number, idempotencyKey: key, maybeRepeat, minimal, recovered } = facts;
  const context: SendContext = {
    attempt: number,
    idempotencyKey: key,
    maybeRepeat,
    minimal,
    recovered,
    remainingMs: limitMs,
    get signal() {
      controller ??= new AbortController();
      if (over && !controller.signal.aborted) controller.abort(over.reason);
      return controller.signal;
    },
  };
  let settled: { receipt: Receipt | undefined } | undefined;
  let givenUp = false;
  // An async function, so that a channel that throws at once is a rejection like any other.
  const send = async (): Promise<Receipt | undefined> => {
    const receipt = (await channel.send(alert, context)) ?? undefined;
    settled = { receipt };
    if (givenUp) facts.onLate(elapsed(), number);
    return receipt;
  };
  try {
    const answer = await within(send(), limitMs, stop, clock);
    if (answer !== TIMED_OUT) return { kind: 'delivered', receipt: answer, ms: elapsed() };
    // The answer may have come in the same turn as the end of the time: a success is never thrown away.
    if (settled) return { kind: 'delivered', receipt: settled.receipt, ms: elapsed() };
    givenUp = true;
    const failure: Failure = {
      verdict: { kind: 'ambiguous' },
      text: `no answer within ${Math.round(limitMs)} ms`,
      detail: 'timeout',
    };
    abort(new Error(failure.text));
    return { kind: 'failed', failure, ms: elapsed() };
  } catch (thrown) {
    // Nor with the stop.
    if (settled) return { kind: 'delivered', receipt: settled.receipt, ms: elapsed() };
    if (stop.aborted) {
      givenUp = true;
      abort(stop.reason);
      return { kind: 'stopped', ms: elapsed() };
    }
    abort(thrown);
    return { kind: 'failed', failure: failureOf(thrown, channel.classify?.bind(channel)), ms: elapsed() };
  }
}

const onTimeUp = (): typeof TIMED_OUT => TIMED_OUT;
/** What p-timeout calls instead of the timers of the process: one pair for each clock. */
const timers = new WeakMap<Clock, { setTimeout: typeof setTimeout; clearTimeout: typeof clearTimeout }>();

function timersOf(clock: Clock): { setTimeout: typeof setTimeout; clearTimeout: typeof clearTimeout } {
  let pair = timers.get(clock);
  if (!pair) {
    pair = {
      setTimeout: ((fn: () => void, ms: number) => clock.schedule(ms, fn, { ref: true })) as never,
      clearTimeout: ((cancel: (() => void) | undefined) => cancel?.()) as never,
    };
    timers.set(clock, pair);
  }
  return pair;
}

/**
 * p-timeout, without a stack: it makes the error for the end of the time at the beginning, each time, though a fallback takes
 * its place (measured: 7 of 10 µs).
 */
function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  stop: StopSignal,
  clock: Clock,
): Promise<T | typeof TIMED_OUT> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    // As much of a signal as it uses.
    const signal = stop as AbortSignal;
    return pTimeout(promise, { milliseconds, fallback: onTimeUp, signal, customTimers: timersOf(clock) });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The same for every attempt at this message on this channel, in every process; another one after `replay({ asNew: true })`. */
export function idempotencyKey(id: string, channel: string, generation: number): string {
  return hash('sha256', `${id}\0${channel}\0${generation}`).slice(0, 40);
}
