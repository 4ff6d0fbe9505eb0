import { backoffMs } from '@holdfast/backoff';
import pRetry from 'p-retry';
import type { Admission } from './admission.js';
import { type AttemptResult, attempt, idempotencyKey } from './attempt.js';
import { afterFailure, MAX_THROTTLES } from './decide.js';
import { fold, foldKey } from './fold.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post, StepResult } from './post.js';
import { deliveredEvent, late, mayRepeat, pause, refusal } from './step-end.js';
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

/** Retries, the minimal form, and each time the channel asked to wait; `shouldRetry` decides which of them it is. */
const MOST_TRIES = 1 + MAX_THROTTLES;

/**
 * All attempts at one channel, each (gate, journal, attempt): the first by itself, p-retry around the others. Our own latch keeps the
 * result, because p-retry drops a success when its signal aborts; its delays are zero, because it can't be told to stop one.
 */
export function tryStep(
  parcel: Parcel,
  step: FullStep,
  limits: StepLimits,
  post: Post,
  foldable = true,
): Promise<StepResult> {
  return new StepTry(parcel, step, limits, post, foldable).run();
}

class StepTry {
  readonly #parcel: Parcel;
  readonly #step: FullStep;
  readonly #limits: StepLimits;
  readonly #post: Post;
  readonly #foldable: boolean;
  readonly #gate: ReturnType<Post['gate']>;
  /** Attempts that others made before, and the number of the last one. */
  readonly #made: number;
  #number: number;
  #retriesLeft: number;
  #throttles = 0;
  #ambiguous = 0;
  #minimal = false;
  #attempted = false;
  #limitAtMs: number;
  #latch: Extract<StepResult, { kind: 'delivered' }> | undefined;
  #end: StepResult | undefined;

  constructor(parcel: Parcel, step: FullStep, limits: StepLimits, post: Post, foldable: boolean) {
    this.#parcel = parcel;
    this.#step = step;
    this.#limits = limits;
    this.#post = post;
    this.#foldable = foldable;
    this.#gate = post.gate(step);
    this.#made = this.#number = parcel.progress().attempts.get(step.channel.name) ?? 0;
    this.#retriesLeft = limits.force ? 0 : Math.max(0, step.retries - this.#made);
    this.#limitAtMs = limits.limitMs;
  }

  async run(): Promise<StepResult> {
    try {
      await this.#once();
    } catch (error) {
      if (!(error instanceof AttemptFailed)) throw error;
      if (await this.#again(error)) await this.#more();
    }
    if (this.#latch) return this.#latch;
    // A send that was given up has arrived in the meantime: it counts, whatever happened since.
    if (this.#parcel.landed) return late(this.#parcel, this.#post.clock);
    return this.#end ?? { kind: 'ended', why: 'exhausted', attempted: this.#attempted };
  }

  /** Every attempt but the first, which almost always is the only one. */
  async #more(): Promise<void> {
    try {
      await pRetry(() => this.#once(), {
        retries: this.#step.retries + MOST_TRIES,
        minTimeout: 0,
        shouldRetry: ({ error }) => this.#again(error as AttemptFailed),
      });
    } catch (error) {
      if (!(error instanceof AttemptFailed)) throw error;
    }
  }

  /** On the last step the first attempt always has its reserve, however long the message waited for its turn. */
  #limitNow(now: number): number {
    const { last, reserveMs } = this.#limits;
    return last && !this.#attempted ? Math.max(this.#limitAtMs, now + reserveMs) : this.#limitAtMs;
  }

  async #once(): Promise<void> {
    const parcel = this.#parcel;
    const { clock, run } = this.#post;
    const { channel, timeoutMs } = this.#step;
    const { name } = channel;
    if (parcel.landed) throw new AttemptFailed(late(parcel, clock));
    const asked = this.#ask();
    const admission = 'then' in asked ? await this.#waited(asked) : asked;
    if (admission.kind !== 'go') throw new AttemptFailed(refusal(admission, parcel, clock, this.#attempted));
    let result: AttemptResult;
    let repeat: boolean;
    try {
      if (admission.folded.length > 0) fold(parcel, admission.folded, name, this.#post);
      const { maybeArrived, generation, recovered } = parcel.progress();
      repeat = maybeArrived.has(name) || parcel.works.some((work) => mayRepeat(work.record.events, name));
      const at = clock.now();
      const { digestId } = parcel;
      await parcel.write(
        digestId === undefined
          ? { type: 'started', at, channel: name, run }
          : { type: 'started', at, channel: name, run, digest: digestId },
      );
      if (parcel.lost) throw new AttemptFailed({ kind: 'lost' });
      if (parcel.landed) throw new AttemptFailed(late(parcel, clock));
      if (parcel.controller.aborted) throw new AttemptFailed({ kind: 'stopped' });
      const now = clock.monotonic();
      this.#limitAtMs = this.#limitNow(now);
      const limitMs = Math.min(timeoutMs, this.#limitAtMs - now);
      if (limitMs <= 0) throw new AttemptFailed({ kind: 'ended', why: 'deadline', attempted: this.#attempted });
      this.#attempted = true;
      const id = digestId ?? parcel.alert.id;
      result = await attempt(parcel, channel, limitMs, clock, {
        attempt: ++this.#number,
        idempotencyKey: () => idempotencyKey(id, name, generation),
        maybeRepeat: repeat,
        minimal: this.#minimal,
        recovered,
        onLate: this.#onLate,
      });
      if (result.kind === 'stopped') throw new AttemptFailed({ kind: 'stopped' });
    } catch (error) {
      this.#gate.withdraw(admission.probe);
      throw error;
    }
    if (result.kind === 'delivered') this.#delivered(result, repeat, admission.probe);
    else throw this.#failed(result, repeat, admission.probe);
  }

  #ask(): Admission<Parcel> | Promise<Admission<Parcel>> {
    const { critical, controller } = this.#parcel;
    const { force, last, limitMs } = this.#limits;
    return this.#gate.ask({
      owner: this.#parcel,
      critical,
      force,
      throttleLimitMs: this.#limitNow(this.#post.clock.monotonic()),
      queueLimitMs: last ? Number.POSITIVE_INFINITY : limitMs,
      foldKey: this.#foldKey,
      signal: controller.signal,
    });
  }

  readonly #foldKey = (): string | undefined => {
    const parcel = this.#parcel;
    return this.#foldable && this.#step.channel.folds !== false && parcel.works.length > 0 && !parcel.digestId
      ? foldKey(this.#step, this.#limits, parcel)
      : undefined;
  };

  async #waited(asked: Promise<Admission<Parcel>>): Promise<Admission<Parcel>> {
    const { clock } = this.#post;
    const begun = clock.monotonic();
    const admission = await asked;
    const ms = Math.round(clock.monotonic() - begun);
    if (ms > 0 && admission.kind === 'go') {
      const why = this.#throttles > 0 ? 'throttled' : 'busy';
      this.#parcel.note({ type: 'waited', at: clock.now(), channel: this.#step.channel.name, why, ms });
    }
    return admission;
  }

  readonly #onLate = (ms: number, n: number): void => {
    const { name } = this.#step.channel;
    this.#gate.lateSuccess();
    for (const id of this.#parcel.ids) this.#post.emit({ type: 'late-success.seen', id, channel: name });
    this.#parcel.landed ??= { channel: name, attempt: n, ms };
    this.#parcel.onLanded?.();
  };

  #delivered(result: Extract<AttemptResult, { kind: 'delivered' }>, repeat: boolean, probe: boolean): void {
    this.#gate.end('delivered', probe);
    const { name } = this.#step.channel;
    const { clock, emit } = this.#post;
    const event = deliveredEvent(name, this.#number, result.ms, repeat, result.receipt, clock);
    this.#latch = { kind: 'delivered', event };
    const { rejected } = event;
    if (rejected)
      emit({ type: 'delivery.partial', id: this.#parcel.alert.id, channel: name, rejected: rejected.length });
  }

  #failed(result: Extract<AttemptResult, { kind: 'failed' }>, repeat: boolean, probe: boolean): AttemptFailed {
    const parcel = this.#parcel;
    const { clock, redact, emit } = this.#post;
    const channel = this.#step.channel.name;
    const n = this.#number;
    const { failure, ms } = result;
    this.#gate.end(failure.verdict, probe);
    const error = redact(failure.text);
    const { kind: verdict, retryAfterMs } = failure.verdict;
    parcel.note({
      type: 'attempted',
      at: clock.now(),
      channel,
      attempt: n,
      ms,
      verdict,
      error,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(this.#minimal && { minimal: true }),
      ...(repeat && { repeat }),
    });
    for (const id of parcel.ids) emit({ type: 'attempt.failed', id, channel, attempt: n, verdict, ms, error });
    return new AttemptFailed(undefined, failure.verdict);
  }

  /** Whether p-retry is to go on; what is to be waited is waited here. */
  async #again({ end, verdict }: AttemptFailed): Promise<boolean> {
    if (!verdict) {
      this.#end = end;
      return false;
    }
    if (verdict.kind === 'throttled') this.#throttles++;
    if (verdict.kind === 'ambiguous') this.#ambiguous++;
    const { clock, random } = this.#post;
    const { channel, backoff } = this.#step;
    const now = clock.monotonic();
    const next = this.#limits.force
      ? ({ kind: 'give-up', why: verdict.kind === 'transient' ? 'exhausted' : verdict.kind } as const)
      : afterFailure({
          verdict,
          retriesLeft: this.#retriesLeft,
          throttles: this.#throttles,
          ambiguous: this.#ambiguous,
          minimal: this.#minimal,
          idempotent: channel.idempotent === true,
          backoffMs: backoffMs(backoff, this.#number - this.#made, random),
          nowMs: now,
          limitMs: this.#limitNow(now),
        });
    if (next.kind === 'give-up') {
      this.#end = { kind: 'ended', why: next.why, attempted: this.#attempted };
      return false;
    }
    if (verdict.kind === 'transient' || verdict.kind === 'ambiguous') this.#retriesLeft--;
    this.#minimal = next.minimal;
    if (next.waitMs > 0) await pause(this.#parcel, channel.name, next.waitMs, clock);
    return true;
  }
}
