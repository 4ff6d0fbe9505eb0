import type { Call, End, Tower } from './call.js';
import { callStore, isThenable } from './deadline.js';
import type { RunReason, Step } from './decide.js';
import { IdempotencyError, type LeaseLossReason } from './errors.js';
import { readableKey } from './key.js';
import { keepLease } from './lease.js';
import { leaseLost, RunOperation } from './operation.js';
import type { Deadline, MaybePromise, OpenStore } from './store.js';
import { encodeValue } from './value.js';

/** A claim that succeeded. */
export interface Owned {
  readonly token: string;
  readonly id: string;
  readonly attempt: number;
  readonly steps: readonly Step[];
  readonly reason: RunReason;
  readonly sentAt: number;
}

/** How `fn` ended, or that its key was lost before it did. */
type Ran =
  | { ran: 'value'; value: unknown }
  | { ran: 'error'; error: unknown }
  | { ran: 'lost'; error: IdempotencyError };

/** Runs `fn` as the owner of its key, keeps the lease meanwhile, and settles or releases. Never rejects. */
export async function runAttempt(tower: Tower, store: OpenStore, call: Call, owned: Owned): Promise<End> {
  const attempt = new Attempt(tower, store, call, owned);
  const ran = await attempt.run();
  switch (ran.ran) {
    case 'value':
      return attempt.finish(ran.value);
    case 'error':
      await attempt.release('failed', ran.error);
      tower.counts.failures++;
      return attempt.op.lost === ran.error ? { end: 'lost', error: ran.error } : { end: 'error', error: ran.error };
    case 'lost':
      return { end: 'lost', error: ran.error };
  }
}

/** Runs `fn` without protection. */
export async function runBypassed(tower: Tower, call: Call): Promise<End> {
  const key = readableKey(call.key);
  const id = tower.nextId();
  const op = new RunOperation({ key, id, token: tower.nextToken(), attempt: 1, steps: [] }, { recordStep: undefined });
  tower.counts.runs++;
  tower.counts.bypassed++;
  tower.emit({ type: 'run.bypassed', key, id });
  try {
    const value = await call.fn(op);
    return { end: 'value', value, encoded: encodedOrNot(value), via: 'bypassed', attempt: 1, ageMs: 0 };
  } catch (error) {
    tower.counts.failures++;
    return { end: 'error', error };
  }
}

class Attempt {
  readonly op: RunOperation;
  readonly #tower: Tower;
  readonly #store: OpenStore;
  readonly #call: Call;
  readonly #owned: Owned;
  readonly #key: string;
  readonly #startedAt: number;

  constructor(tower: Tower, store: OpenStore, call: Call, owned: Owned) {
    this.#tower = tower;
    this.#store = store;
    this.#call = call;
    this.#owned = owned;
    this.#key = readableKey(call.key);
    this.#startedAt = tower.settings.clock.monotonic();
    this.op = new RunOperation(
      { key: this.#key, ...owned },
      { recordStep: (name, value) => this.#recordStep(name, value) },
    );
    const { id, attempt, reason } = owned;
    tower.counts.runs++;
    if (reason === 'takeover') tower.counts.takeovers++;
    tower.emit({ type: 'run.started', key: this.#key, id, attempt, reason });
  }

  async run(): Promise<Ran> {
    let result: unknown;
    try {
      result = this.#call.fn(this.op);
    } catch (error) {
      return { ran: 'error', error };
    }
    if (!isThenable(result)) return { ran: 'value', value: result };
    const ending = result.then(
      (value): Ran => ({ ran: 'value', value }),
      (error: unknown): Ran => ({ ran: 'error', error }),
    );
    let stop = (): void => undefined;
    const lost = new Promise<Ran>((resolve) => {
      stop = this.#keepLease((error) => resolve({ ran: 'lost', error }));
    });
    const ran = await Promise.race([ending, lost]);
    stop();
    if (ran.ran === 'lost') void ending.then((late) => this.#finishLate(late));
    return ran;
  }

  #keepLease(onLost: (error: IdempotencyError) => void): () => void {
    const { clock, leaseMs, maxRunMs } = this.#tower.settings;
    let error: IdempotencyError | undefined;
    const errorFor = (reason: LeaseLossReason): IdempotencyError => (error ??= leaseLost(this.#key, reason));
    return keepLease({
      clock,
      leaseMs,
      maxRunMs,
      claimedAt: this.#owned.sentAt,
      renew: () =>
        this.#ask('renew', (deadline) =>
          this.#store.renew(this.#call.key, this.#owned.token, leaseMs, this.#call.ttlMs, deadline),
        ),
      onEnding: (reason) => this.op.lose(errorFor(reason)),
      onLost: (reason) => {
        this.#reportLoss(reason);
        onLost(errorFor(reason));
      },
    });
  }

  /** Stores what `fn` gave. The caller gets it even when the store can't be reached; then the lease protects it for a while. */
  async finish(value: unknown): Promise<End> {
    const { attempt } = this.#owned;
    let encoded: string | undefined;
    try {
      if (this.#call.retain && !this.#call.retain(value)) {
        await this.release('not-retained', undefined);
        return { end: 'value', value, encoded: encodedOrNot(value), via: 'ran', attempt, ageMs: 0 };
      }
      encoded = encodeValue(value);
    } catch (error) {
      await this.release('invalid-value', error);
      this.#tower.counts.failures++;
      return { end: 'error', error };
    }
    const answer: End = { end: 'value', value, encoded, via: 'ran', attempt, ageMs: 0 };
    let settled: boolean;
    try {
      const asked = this.#settle(encoded);
      settled = isThenable(asked) ? await asked : asked;
    } catch (error) {
      if (!(error instanceof IdempotencyError) || error.code !== 'IDEMPOTENCY_INVALID_VALUE') return answer;
      await this.release('invalid-value', error);
      return { end: 'error', error };
    }
    if (settled) {
      this.#tower.emit({ type: 'run.settled', key: this.#key, id: this.op.id, attempt, ms: this.#ms() });
      return answer;
    }
    const error = this.op.lost ?? leaseLost(this.#key, 'settle-refused');
    this.op.lose(error);
    this.#reportLoss('settle-refused');
    return { end: 'lost', error };
  }

  async release(why: 'failed' | 'not-retained' | 'invalid-value', error: unknown): Promise<void> {
    const { key, ttlMs } = this.#call;
    const { id, token, attempt } = this.#owned;
    try {
      const asked = this.#ask('release', (deadline) => this.#store.release(key, token, ttlMs, deadline));
      if (isThenable(asked)) await asked;
    } catch {
      // Told by #ask; the lease ends by itself.
    }
    const kind =
      error instanceof Error
        ? ((error as { code?: unknown }).code ?? error.name)
        : error === undefined
          ? undefined
          : typeof error;
    this.#tower.emit({
      type: 'run.released',
      key: this.#key,
      id,
      attempt,
      ms: this.#ms(),
      why,
      error: kind === undefined ? undefined : String(kind),
    });
  }

  /** A run that ended after its key was lost: its result is kept, or its key freed, if nobody has taken the key over. */
  async #finishLate(late: Ran): Promise<void> {
    if (late.ran === 'error') return this.release('failed', late.error);
    if (late.ran !== 'value') return;
    if (this.#call.retain && !this.#call.retain(late.value)) return this.release('not-retained', undefined);
    const encoded = encodedOrNot(late.value);
    if (encoded === undefined) return this.release('invalid-value', undefined);
    try {
      if (!(await this.#settle(encoded))) return;
    } catch {
      return; // told by #ask
    }
    this.#tower.emit({
      type: 'run.settled',
      key: this.#key,
      id: this.op.id,
      attempt: this.op.attempt,
      ms: this.#ms(),
    });
  }

  #settle(encoded: string): MaybePromise<boolean> {
    const { key, ttlMs } = this.#call;
    return this.#ask('settle', (deadline) => this.#store.settle(key, this.#owned.token, encoded, ttlMs, deadline));
  }

  async #recordStep(name: string, value: string): Promise<boolean> {
    return this.#ask('step', (deadline) => this.#store.step(this.#call.key, this.#owned.token, name, value, deadline));
  }

  #ask<T>(operation: string, call: (deadline: Deadline) => MaybePromise<T>): MaybePromise<T> {
    const { storeTimeoutMs, clock } = this.#tower.settings;
    const told = (error: unknown): never => {
      this.#tower.storeFailed(operation, error);
      throw error;
    };
    let answer: MaybePromise<T>;
    try {
      answer = callStore(operation, storeTimeoutMs, clock, call);
    } catch (error) {
      return told(error);
    }
    return isThenable(answer) ? answer.catch(told) : answer;
  }

  #reportLoss(reason: LeaseLossReason): void {
    this.#tower.counts.lost++;
    const { id, attempt } = this.#owned;
    this.#tower.emit({ type: 'run.lost', key: this.#key, id, attempt, ms: this.#ms(), reason });
  }

  #ms(): number {
    return Math.round(this.#tower.settings.clock.monotonic() - this.#startedAt);
  }
}

function encodedOrNot(value: unknown): string | undefined {
  try {
    return encodeValue(value);
  } catch {
    return undefined;
  }
}
