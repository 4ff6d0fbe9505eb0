import { createHash } from 'node:crypto';
import type { Clock } from '@holdfast/clock';
import pTimeout from 'p-timeout';
import type { StoredAlert } from './alert.js';
import type { Channel, Receipt, SendContext } from './channel.js';
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
export async function attempt(options: {
  channel: Channel;
  alert: StoredAlert;
  context: Omit<SendContext, 'signal' | 'remainingMs'>;
  limitMs: number;
  stop: AbortSignal;
  clock: Clock;
  onLate: (receipt: Receipt | undefined, ms: number) => void;
}): Promise<AttemptResult> {
  const { channel, alert, clock, stop, limitMs } = options;
  const begun = clock.monotonic();
  const elapsed = (): number => Math.round(clock.monotonic() - begun);
  const controller = new AbortController();
  const context: SendContext = { ...options.context, signal: controller.signal, remainingMs: limitMs };
  let settled: { receipt: Receipt | undefined } | undefined;
  let givenUp = false;
  // An async function, so that a channel that throws at once is a rejection like any other.
  const sending = (async () => channel.send(alert, context))();
  sending.then(
    (receipt) => {
      settled = { receipt: receipt ?? undefined };
      if (givenUp) options.onLate(settled.receipt, elapsed());
    },
    () => undefined,
  );
  try {
    const answer = await pTimeout<Receipt | undefined | void, typeof TIMED_OUT>(sending, {
      milliseconds: limitMs,
      fallback: () => TIMED_OUT,
      signal: stop,
      customTimers: {
        setTimeout: ((fn: () => void, ms: number) => clock.schedule(ms, fn, { ref: true })) as never,
        clearTimeout: ((cancel: (() => void) | undefined) => cancel?.()) as never,
      },
    });
    if (answer !== TIMED_OUT) return { kind: 'delivered', receipt: answer ?? undefined, ms: elapsed() };
    givenUp = true;
    const failure: Failure = {
      verdict: { kind: 'ambiguous' },
      text: `no answer within ${Math.round(limitMs)} ms`,
      detail: 'timeout',
    };
    controller.abort(new Error(failure.text));
    return { kind: 'failed', failure, ms: elapsed() };
  } catch (thrown) {
    // The answer may have come in the same turn as the stop: a success is never thrown away.
    if (settled) return { kind: 'delivered', receipt: settled.receipt, ms: elapsed() };
    if (stop.aborted) {
      givenUp = true;
      controller.abort(stop.reason);
      return { kind: 'stopped', ms: elapsed() };
    }
    controller.abort(thrown);
    return { kind: 'failed', failure: failureOf(thrown, channel.classify?.bind(channel)), ms: elapsed() };
  }
}

/** The same for every attempt at this message on this channel, in every process; another one after `replay({ asNew: true })`. */
export function idempotencyKey(id: string, channel: string, generation: number): string {
  return createHash('sha256').update(`${id}\0${channel}\0${generation}`).digest('hex').slice(0, 40);
}
