import { hash } from 'node:crypto';
import type { Clock } from '@holdfast/clock';
import type { StoredAlert } from './alert.js';
import type { Channel, Receipt, SendContext } from './channel.js';
import type { StopSignal } from './stop.js';
import { type Failure, failureOf } from './verdict.js';

export type AttemptResult =
  | { readonly kind: 'delivered'; readonly receipt: Receipt | undefined; readonly ms: number }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly ms: number }
  /** The parcel was stopped; whether the message arrived is not known. */
  | { readonly kind: 'stopped'; readonly ms: number };

type Facts = Omit<SendContext, 'signal' | 'remainingMs' | 'idempotencyKey'> & {
  readonly idempotencyKey: () => string;
  readonly onLate: (ms: number, attempt: number) => void;
};

/**
 * One attempt: the channel's promise against a hard limit, with an own AbortController. Never rejects.
 *
 * The limit holds for a channel that ignores its signal. A promise that succeeds after it was given up is reported to
 * `onLate` once. No `AbortSignal.any` and no `AbortSignal.timeout`: they keep memory until their timer fires.
 */
export function attempt(
  parcel: { readonly alert: StoredAlert; readonly controller: StopSignal },
  channel: Channel,
  limitMs: number,
  clock: Clock,
  facts: Facts,
): Promise<AttemptResult> {
  return new Promise((resolve, reject) => {
    new Attempt(channel, limitMs, clock, parcel.controller, facts.onLate, resolve, reject).begin(parcel.alert, facts);
  });
}

/** How many a channel may have put around the provider's answer, and it still counts in its turn. */
const PROMISES_IN_A_ROW = 4;

class Attempt {
  readonly #channel: Channel;
  readonly #limitMs: number;
  readonly #clock: Clock;
  readonly #stop: StopSignal;
  readonly #tellLate: Facts['onLate'];
  readonly #resolve: (result: AttemptResult) => void;
  readonly #reject: (error: unknown) => void;
  readonly #begun: number;
  #context: Context | undefined;
  #cancel: (() => void) | undefined;
  #over = false;
  /** It was left behind with its answer unknown. */
  #givenUp = false;

  constructor(
    channel: Channel,
    limitMs: number,
    clock: Clock,
    stop: StopSignal,
    onLate: Facts['onLate'],
    resolve: (result: AttemptResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.#channel = channel;
    this.#limitMs = limitMs;
    this.#clock = clock;
    this.#stop = stop;
    this.#tellLate = onLate;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#begun = clock.monotonic();
  }

  begin(alert: StoredAlert, facts: Facts): void {
    this.#context = new Context(facts, this.#limitMs);
    let answer: ReturnType<Channel['send']>;
    try {
      answer = this.#channel.send(alert, this.#context);
    } catch (thrown) {
      // A channel that throws at once has failed like any other.
      this.#failed(thrown);
      return;
    }
    // Of a channel that answers at once without a promise, too.
    Promise.resolve(answer).then(this.#answered, this.#failed);
    if (this.#stop.aborted) {
      this.#stopped();
      return;
    }
    this.#stop.addEventListener('abort', this.#stopped, { once: true });
    this.#cancel = this.#clock.schedule(this.#limitMs, this.#timeUp, { ref: true });
  }

  readonly #answered = (receipt: Receipt | undefined | void): void => {
    const ms = this.#elapsed();
    if (this.#givenUp) this.#tellLate(ms, this.#context!.attempt);
    if (this.#isOver()) return;
    this.#resolve({ kind: 'delivered', receipt: receipt ?? undefined, ms });
  };

  readonly #failed = (thrown: unknown): void => {
    if (this.#isOver()) return;
    try {
      Context.end(this.#context!, thrown);
      const failure = failureOf(thrown, this.#channel.classify?.bind(this.#channel));
      this.#resolve({ kind: 'failed', failure, ms: this.#elapsed() });
    } catch (error) {
      this.#reject(error);
    }
  };

  readonly #timeUp = (): void => {
    void this.#giveUp('time');
  };

  readonly #stopped = (): void => {
    void this.#giveUp('stop');
  };

  /** The answer may have come in the same turn, and be on its way here: a success is never thrown away. */
  async #giveUp(why: 'time' | 'stop'): Promise<void> {
    for (let left = PROMISES_IN_A_ROW; left > 0; left--) await Promise.resolve();
    if (this.#isOver()) return;
    this.#givenUp = true;
    const ms = this.#elapsed();
    if (why === 'stop') {
      this.#resolve({ kind: 'stopped', ms });
      Context.end(this.#context!, this.#stop.reason);
      return;
    }
    const text = `no answer within ${Math.round(this.#limitMs)} ms`;
    this.#resolve({ kind: 'failed', failure: { verdict: { kind: 'ambiguous' }, text, detail: 'timeout' }, ms });
    Context.end(this.#context!, new Error(text));
  }

  /** The first of answer, failure, end of the time and stop decides; the others find it over. */
  #isOver(): boolean {
    if (this.#over) return true;
    this.#over = true;
    this.#cancel?.();
    this.#stop.removeEventListener('abort', this.#stopped);
    return false;
  }

  #elapsed(): number {
    return Math.round(this.#clock.monotonic() - this.#begun);
  }
}

/**
 * What the channel is told. `signal` and `idempotencyKey` are made when it asks: many never do, and an AbortController costs
 * more than the rest of an attempt's set-up. They are properties of the object, so that a copy of the context has them too;
 * their getters are the same for all, because one for each takes every context out of its hidden class.
 */
class Context implements SendContext {
  declare readonly signal: AbortSignal;
  declare readonly idempotencyKey: string;
  readonly attempt: number;
  readonly maybeRepeat: boolean;
  readonly minimal: boolean;
  readonly recovered: boolean;
  readonly remainingMs: number;
  readonly #keyOf: () => string;
  #key: string | undefined;
  #controller: AbortController | undefined;
  #ended: { readonly reason: unknown } | undefined;

  constructor(facts: Facts, limitMs: number) {
    this.attempt = facts.attempt;
    this.#keyOf = facts.idempotencyKey;
    this.maybeRepeat = facts.maybeRepeat;
    this.minimal = facts.minimal;
    this.recovered = facts.recovered;
    this.remainingMs = limitMs;
    Object.defineProperties(this, ON_DEMAND);
  }

  static end(context: Context, reason: unknown): void {
    context.#ended = { reason };
    context.#controller?.abort(reason);
  }

  static keyOf(context: Context): string {
    context.#key ??= context.#keyOf();
    return context.#key;
  }

  static signalOf(context: Context): AbortSignal {
    context.#controller ??= new AbortController();
    if (context.#ended && !context.#controller.signal.aborted) context.#controller.abort(context.#ended.reason);
    return context.#controller.signal;
  }
}

const ON_DEMAND: PropertyDescriptorMap & ThisType<Context> = {
  idempotencyKey: {
    enumerable: true,
    get() {
      return Context.keyOf(this);
    },
  },
  signal: {
    enumerable: true,
    get() {
      return Context.signalOf(this);
    },
  },
};

/** The same for every attempt at this message on this channel, in every process; another one after `replay({ asNew: true })`. */
export function idempotencyKey(id: string, channel: string, generation: number): string {
  return hash('sha256', `${id}\0${channel}\0${generation}`).slice(0, 40);
}
