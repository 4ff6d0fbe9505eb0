import { backoffMs } from '@holdfast/backoff';
import type { Clock } from '@holdfast/clock';
import pRetry from 'p-retry';
import { attempt, idempotencyKey } from './attempt.js';
import type { Receipt } from './channel.js';
import type { Admission } from './channel-gate.js';
import { afterFailure, MAX_THROTTLES } from './decide.js';
import { fold, foldKey } from './fold.js';
import type { LifeEvent } from './life.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post, StepResult } from './post.js';
import type { Verdict } from './verdict.js';

/** What one step may take. */
export interface StepLimits {
  readonly force: boolean;
  readonly last: boolean;
  readonly limitMs: number;
  readonly reserveMs: number;
}

/** Thrown inside p-retry only. Always an Error and never a TypeError, which p-retry would treat as final. */
class AttemptFailed extends Error {
  readonly end: StepResult | undefined;
  readonly verdict: Verdict | undefined;
  constructor(end: StepResult | undefined, verdict?: Verdict) {
    super('attempt failed');
    this.end = end;
    this.verdict = verdict;
  }
}

/**
 * All attempts at one channel: p-retry around (gate, journal, attempt). Our own latch keeps the result, because p-retry
 * drops a success when its signal aborts; its delays are zero, because it can't be told to stop one.
 */
export async function tryStep(
  parcel: Parcel,
  step: FullStep,
  limits: StepLimits,
  post: Post,
  foldable = true,
): Promise<StepResult> {
  const { clock } = post;
  const name = step.channel.name;
  const gate = post.gate(step);
  const before = parcel.progress();
  const made = before.attempts.get(name) ?? 0;
  let retriesLeft = limits.force ? 0 : Math.max(0, step.retries - made);
  let number = made;
  let throttles = 0;
  let ambiguous = 0;
  let minimal = false;
  let attempted = false;
  let latch: Extract<StepResult, { kind: 'delivered' }> | undefined;
  // On the last step the first attempt always has its reserve, however long the message waited for its turn.
  let { limitMs: limitAtMs } = limits;
  const limitNow = (): number =>
    limits.last && !attempted ? Math.max(limitAtMs, clock.monotonic() + limits.reserveMs) : limitAtMs;

  const once = async (): Promise<void> => {
    if (parcel.landed) throw new AttemptFailed(late(parcel, clock));
    const asked = clock.monotonic();
    const admission = await gate.ask({
      owner: parcel,
      critical: parcel.critical,
      force: limits.force,
      throttleLimitMs: limitNow(),
      queueLimitMs: limits.last ? Number.POSITIVE_INFINITY : limits.limitMs,
      foldKey:
        foldable && step.channel.folds !== false && parcel.works.length > 0 && !parcel.digestId
          ? foldKey(step, limits, parcel)
          : undefined,
      signal: parcel.controller.signal,
    });
    if (admission.kind !== 'go') throw new AttemptFailed(refusal(admission, parcel, clock, attempted));
    const waited = Math.round(clock.monotonic() - asked);
    if (waited > 0)
      parcel.note({
        type: 'waited',
        at: clock.now(),
        channel: name,
        why: throttles > 0 ? 'throttled' : 'busy',
        ms: waited,
      });
    let ended = false;
    const endGate = (verdict: Verdict | 'delivered' | undefined): void => {
      ended = true;
      if (verdict === undefined) gate.withdraw(admission.probe);
      else gate.end(verdict, admission.probe);
    };
    try {
      if (admission.folded.length > 0) fold(parcel, admission.folded, name, post);
      const progress = parcel.progress();
      const repeat =
        progress.maybeArrived.has(name) || parcel.works.some((work) => mayRepeat(work.record.events, name));
      const started: LifeEvent = {
        type: 'started',
        at: clock.now(),
        channel: name,
        run: post.run,
        ...(parcel.digestId !== undefined && { digest: parcel.digestId }),
      };
      if ((await parcel.write(started)) === 'lost') throw new AttemptFailed({ kind: 'lost' });
      if (parcel.landed) throw new AttemptFailed(late(parcel, clock));
      if (parcel.controller.signal.aborted) throw new AttemptFailed({ kind: 'stopped' });
      limitAtMs = limitNow();
      const limitMs = Math.min(step.timeoutMs, limitAtMs - clock.monotonic());
      if (limitMs <= 0) throw new AttemptFailed({ kind: 'ended', why: 'deadline', attempted });
      attempted = true;
      number++;
      const n = number;
      const key = idempotencyKey(parcel.digestId ?? parcel.alert.id, name, progress.generation);
      const result = await attempt({
        channel: step.channel,
        alert: parcel.alert,
        context: { attempt: n, idempotencyKey: key, maybeRepeat: repeat, minimal, recovered: progress.recovered },
        limitMs,
        stop: parcel.controller.signal,
        clock,
        onLate: (_receipt, ms) => {
          gate.lateSuccess();
          for (const id of parcel.ids) post.emit({ type: 'late-success.seen', id, channel: name });
          parcel.landed ??= { channel: name, attempt: n, ms };
          parcel.onLanded?.();
        },
      });
      if (result.kind === 'stopped') throw new AttemptFailed({ kind: 'stopped' });
      if (result.kind === 'delivered') {
        endGate('delivered');
        latch = { kind: 'delivered', event: deliveredEvent(name, n, result.ms, repeat, result.receipt, clock) };
        const { rejected } = latch.event;
        if (rejected)
          post.emit({ type: 'delivery.partial', id: parcel.alert.id, channel: name, rejected: rejected.length });
        return;
      }
      const { failure, ms } = result;
      endGate(failure.verdict);
      const error = post.redact(failure.text);
      const { kind: verdict, retryAfterMs } = failure.verdict;
      parcel.note({
        type: 'attempted',
        at: clock.now(),
        channel: name,
        attempt: n,
        ms,
        verdict,
        error,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
        ...(minimal && { minimal }),
        ...(repeat && { repeat }),
      });
      for (const id of parcel.ids)
        post.emit({ type: 'attempt.failed', id, channel: name, attempt: n, verdict, ms, error });
      throw new AttemptFailed(undefined, failure.verdict);
    } finally {
      if (!ended) endGate(undefined);
    }
  };

  let end: StepResult | undefined;
  try {
    await pRetry(once, {
      // Retries, the minimal form, and each time the channel asked to wait; `shouldRetry` decides which of them it is.
      retries: step.retries + 1 + MAX_THROTTLES,
      minTimeout: 0,
      shouldRetry: async ({ error }) => {
        const { end: known, verdict } = error as AttemptFailed;
        if (!verdict) {
          end = known;
          return false;
        }
        if (verdict.kind === 'throttled') throttles++;
        if (verdict.kind === 'ambiguous') ambiguous++;
        const next = limits.force
          ? ({ kind: 'give-up', why: verdict.kind === 'transient' ? 'exhausted' : verdict.kind } as const)
          : afterFailure({
              verdict,
              retriesLeft,
              throttles,
              ambiguous,
              minimal,
              idempotent: step.channel.idempotent === true,
              backoffMs: backoffMs(step.backoff, number - made, post.random),
              nowMs: clock.monotonic(),
              limitMs: limitNow(),
            });
        if (next.kind === 'give-up') {
          end = { kind: 'ended', why: next.why, attempted };
          return false;
        }
        if (verdict.kind === 'transient' || verdict.kind === 'ambiguous') retriesLeft--;
        minimal = next.minimal;
        if (next.waitMs > 0) await pause(parcel, name, next.waitMs, clock);
        return true;
      },
    });
  } catch (error) {
    if (!(error instanceof AttemptFailed)) throw error;
  }
  if (latch) return latch;
  // A send that was given up has arrived in the meantime: it counts, whatever happened since.
  if (parcel.landed) return late(parcel, clock);
  return end ?? { kind: 'ended', why: 'exhausted', attempted };
}

/** Waits before a retry; ends early when delivery closes or a late success makes the retry needless. */
function pause(parcel: Parcel, channel: string, ms: number, clock: Clock): Promise<void> {
  parcel.note({ type: 'waited', at: clock.now(), channel, why: 'backoff', ms });
  return new Promise((resolve) => {
    const { signal } = parcel.controller;
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      parcel.onLanded = undefined;
      resolve();
    };
    const cancel = clock.schedule(ms, done, { ref: true });
    signal.addEventListener('abort', done, { once: true });
    parcel.onLanded = done;
    if (signal.aborted || parcel.landed) done();
  });
}

function refusal(
  admission: Exclude<Admission<Parcel>, { kind: 'go' }>,
  parcel: Parcel,
  clock: Clock,
  attempted: boolean,
): StepResult {
  if (parcel.landed) return late(parcel, clock);
  switch (admission.kind) {
    case 'folded':
      return { kind: 'folded' };
    case 'aborted':
      return { kind: 'stopped' };
    case 'refused':
      return { kind: 'ended', why: admission.why, attempted };
  }
}

/** An attempt at this member, in another message or another life, may have arrived. */
function mayRepeat(events: readonly LifeEvent[], channel: string): boolean {
  let maybe = false;
  for (const event of events) {
    if (event.type === 'started' && event.channel === channel) maybe = true;
    else if (event.type === 'attempted' && event.channel === channel && event.verdict !== 'ambiguous' && !event.repeat)
      maybe = false;
    else if (event.type === 'replayed' && event.asNew) maybe = false;
  }
  return maybe;
}

function late(parcel: Parcel, clock: Clock): Extract<StepResult, { kind: 'delivered' }> {
  const { channel, attempt: n, ms } = parcel.landed!;
  return { kind: 'delivered', event: { type: 'delivered', at: clock.now(), channel, attempt: n, ms, late: true } };
}

function deliveredEvent(
  channel: string,
  n: number,
  ms: number,
  repeat: boolean,
  receipt: Receipt | undefined,
  clock: Clock,
): Extract<LifeEvent, { type: 'delivered' }> {
  const { id, rejected } = receipt ?? {};
  return {
    type: 'delivered',
    at: clock.now(),
    channel,
    attempt: n,
    ms,
    ...(repeat && { repeat }),
    ...(typeof id === 'string' && { receipt: id.slice(0, 200) }),
    ...(rejected && rejected.length > 0 && { rejected: rejected.slice(0, 50) }),
  };
}
