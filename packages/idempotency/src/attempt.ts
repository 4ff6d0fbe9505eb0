import type { Call, End, Tower } from './call.js';
import { callStore, isThenable, settleWithin } from './deadline.js';
import type { Claim } from './decide.js';
import { IdempotencyError, type LeaseLossReason } from './errors.js';
import { readableKey } from './key.js';
import type { LeaseHolder } from './lease.js';
import { leaseLost, type OperationHost, RunOperation } from './operation.js';
import type { Deadline, MaybePromise, OpenStore } from './store.js';
import { encodeValue } from './value.js';

/** Is told how an attempt ended; once. */
interface Lander {
  land(end: End): void;
}

/**
 * Runs `fn` as the owner of its key, keeps the lease meanwhile, and settles or releases. Answers at once, without a promise
 * of its own, when `fn` and the store do.
 */
export function startAttempt(tower: Tower, store: OpenStore, call: Call, claim: Mine, lander: Lander): void {
  new Attempt(tower, store, call, claim, lander).start();
}

type Mine = Claim & { verdict: 'mine' };

/** Runs `fn` without protection. */
export async function runBypassed(tower: Tower, call: Call): Promise<End> {
  const key = readableKey(call.key);
  const id = tower.nextId();
  const op = new RunOperation(key, id, id, 1, [], undefined);
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

class Attempt implements LeaseHolder, OperationHost {
  readonly op: RunOperation;
  readonly claimedAt: number;
  young = false;
  before: LeaseHolder | undefined = undefined;
  after: LeaseHolder | undefined = undefined;
  stop: (() => void) | undefined = undefined;
  readonly #tower: Tower;
  readonly #store: OpenStore;
  readonly #call: Call;
  readonly #lander: Lander;
  readonly #key: string;
  #lostAs: IdempotencyError | undefined;
  #landed = false;

  constructor(tower: Tower, store: OpenStore, call: Call, claim: Mine, lander: Lander) {
    this.#tower = tower;
    this.#store = store;
    this.#call = call;
    this.#lander = lander;
    this.#key = readableKey(call.key);
    // Whole milliseconds, as the memory store counts: never later than the store's own beginning of the lease.
    this.claimedAt = Math.floor(call.atMs);
    const { id, attempt, reason, steps } = claim;
    this.op = new RunOperation(this.#key, id, call.token, attempt, steps, this);
    tower.counts.runs++;
    if (reason === 'takeover') tower.counts.takeovers++;
    if (tower.listening) tower.emit({ type: 'run.started', key: this.#key, id, attempt, reason });
  }

  start(): void {
    let result: unknown;
    try {
      result = this.#call.fn(this.op);
    } catch (error) {
      void this.#failed(error);
      return;
    }
    if (!isThenable(result)) return this.#finish(result);
    this.#tower.leases.hold(this);
    (result instanceof Promise ? result : Promise.resolve(result)).then(
      (value: unknown) => {
        if (this.#landed) return void this.#finishLate(value);
        this.#tower.leases.drop(this);
        this.#finish(value);
      },
      (error: unknown) => {
        if (this.#landed) return void this.release('failed', error);
        this.#tower.leases.drop(this);
        void this.#failed(error);
      },
    );
  }

  renew(): MaybePromise<boolean> {
    const { key, token, ttlMs } = this.#call;
    const { leaseMs } = this.#tower.settings;
    return this.#ask('renew', (deadline) => this.#store.renew(key, token, leaseMs, ttlMs, deadline));
  }

  onEnding(reason: LeaseLossReason): void {
    this.#lostAs ??= leaseLost(this.#key, reason);
    this.op.lose(this.#lostAs);
  }

  onLost(reason: LeaseLossReason): void {
    this.#tower.leases.drop(this);
    this.#reportLoss(reason);
    this.#end({ end: 'lost', error: this.#lostAs });
  }

  #end(end: End): void {
    this.#landed = true;
    this.#lander.land(end);
  }

  async #failed(error: unknown): Promise<void> {
    await this.release('failed', error);
    this.#tower.counts.failures++;
    this.#end(this.op.lost === error ? { end: 'lost', error } : { end: 'error', error });
  }

  /** Stores what `fn` gave. */
  #finish(value: unknown): void {
    let encoded: string;
    try {
      if (this.#call.retain && !this.#call.retain(value)) return void this.#notRetained(value);
      encoded = encodeValue(value);
    } catch (error) {
      return void this.#invalid(error);
    }
    let settled: MaybePromise<boolean>;
    try {
      settled = this.#settle(encoded);
    } catch (error) {
      return this.#notSettled(error, value, encoded);
    }
    if (!isThenable(settled)) return this.#settled(settled, value, encoded);
    settled.then(
      (kept) => this.#settled(kept, value, encoded),
      (error: unknown) => this.#notSettled(error, value, encoded),
    );
  }

  #settled(kept: boolean, value: unknown, encoded: string): void {
    if (kept) {
      this.#reportSettled();
      return this.#end(this.#answer(value, encoded));
    }
    const error = this.op.lost ?? leaseLost(this.#key, 'settle-refused');
    this.op.lose(error);
    this.#reportLoss('settle-refused');
    this.#end({ end: 'lost', error });
  }

  /** The caller gets its value even when the store can't be reached; then the lease protects it for a while. */
  #notSettled(error: unknown, value: unknown, encoded: string): void {
    if (error instanceof IdempotencyError && error.code === 'IDEMPOTENCY_INVALID_VALUE')
      return void this.#invalid(error);
    this.#end(this.#answer(value, encoded));
  }

  async #notRetained(value: unknown): Promise<void> {
    await this.release('not-retained', undefined);
    this.#end(this.#answer(value, encodedOrNot(value)));
  }

  async #invalid(error: unknown): Promise<void> {
    await this.release('invalid-value', error);
    this.#tower.counts.failures++;
    this.#end({ end: 'error', error });
  }

  #answer(value: unknown, encoded: string | undefined): End {
    return { end: 'value', value, encoded, via: 'ran', attempt: this.op.attempt, ageMs: 0 };
  }

  async release(why: 'failed' | 'not-retained' | 'invalid-value', error: unknown): Promise<void> {
    const { key, token, ttlMs } = this.#call;
    try {
      const asked = this.#ask('release', (deadline) => this.#store.release(key, token, ttlMs, deadline));
      if (isThenable(asked)) await asked;
    } catch {
      // Told by #told; the lease ends by itself.
    }
    const kind =
      error instanceof Error
        ? ((error as { code?: unknown }).code ?? error.name)
        : error === undefined
          ? undefined
          : typeof error;
    const { id, attempt } = this.op;
    const ms = this.#ms();
    const told = kind === undefined ? undefined : String(kind);
    this.#tower.emit({ type: 'run.released', key: this.#key, id, attempt, ms, why, error: told });
  }

  /** A run that ended after its key was lost: its result is kept, or its key freed, if nobody has taken the key over. */
  async #finishLate(value: unknown): Promise<void> {
    if (this.#call.retain && !this.#call.retain(value)) return this.release('not-retained', undefined);
    const encoded = encodedOrNot(value);
    if (encoded === undefined) return this.release('invalid-value', undefined);
    try {
      if (await this.#settle(encoded)) this.#reportSettled();
    } catch {
      // Told by #told; the lease is over anyway.
    }
  }

  #reportSettled(): void {
    if (!this.#tower.listening) return;
    const { id, attempt } = this.op;
    this.#tower.emit({ type: 'run.settled', key: this.#key, id, attempt, ms: this.#ms() });
  }

  #settle(encoded: string): MaybePromise<boolean> {
    const { storeTimeoutMs, clock } = this.#tower.settings;
    let answer: MaybePromise<boolean>;
    try {
      answer = settleWithin(storeTimeoutMs, clock, this.#store, this.#call, encoded);
    } catch (error) {
      return this.#told('settle', error);
    }
    return isThenable(answer) ? answer.catch((error: unknown) => this.#told('settle', error)) : answer;
  }

  async recordStep(name: string, value: string): Promise<boolean> {
    const { key, token } = this.#call;
    return this.#ask('step', (deadline) => this.#store.step(key, token, name, value, deadline));
  }

  #ask<T>(operation: string, call: (deadline: Deadline) => MaybePromise<T>): MaybePromise<T> {
    const { storeTimeoutMs, clock } = this.#tower.settings;
    let answer: MaybePromise<T>;
    try {
      answer = callStore(operation, storeTimeoutMs, clock, call);
    } catch (error) {
      return this.#told(operation, error);
    }
    return isThenable(answer) ? answer.catch((error: unknown) => this.#told(operation, error)) : answer;
  }

  #told(operation: string, error: unknown): never {
    this.#tower.storeFailed(operation, error);
    throw error;
  }

  #reportLoss(reason: LeaseLossReason): void {
    this.#tower.counts.lost++;
    const { id, attempt } = this.op;
    this.#tower.emit({ type: 'run.lost', key: this.#key, id, attempt, ms: this.#ms(), reason });
  }

  #ms(): number {
    return Math.round(this.#tower.settings.clock.monotonic() - this.claimedAt);
  }
}

function encodedOrNot(value: unknown): string | undefined {
  try {
    return encodeValue(value);
  } catch {
    return undefined;
  }
}
