import { Core } from './core.js';
import type { Key } from './key.js';
import { memoryStore } from './memory-store.js';
import type { Operation } from './operation.js';
import { type IdempotencyOptions, type RunOptions, settingsOf } from './options.js';

/** What `execute` resolves with. */
export interface Outcome<T> {
  readonly value: T;
  /**
   * `ran`: this call ran `fn`. `joined`: another call's run was waited for. `replayed`: an earlier run's answer.
   * `bypassed`: `fn` ran without protection, because the store could not be reached and `onStoreError` is `'run'`.
   */
  readonly via: 'ran' | 'replayed' | 'joined' | 'bypassed';
  /** The attempt that gave the value. */
  readonly attempt: number;
  /** How old the value is, milliseconds. */
  readonly ageMs: number;
}

/** What `peek` shows. */
export interface Snapshot {
  /** `running`: owned; `interrupted`: failed, or its owner died, and may be resumed; `settled`: answered from the store. */
  readonly status: 'running' | 'interrupted' | 'settled';
  readonly attempt: number;
  /** The present run's id; absent once settled. */
  readonly id?: string | undefined;
  /** The names of the steps that the present run has finished. */
  readonly steps: readonly string[];
  /** The last value that was settled. */
  readonly value?: unknown;
  /** Lanes only: the state that runs, or else the one last delivered. */
  readonly state?: string | undefined;
  readonly expiresInMs: number;
}

/** Counts since this instance was made; `entries`, `inFlight`, `bytes` and `evicted` are the store's. */
export interface Stats {
  /** Keys held; undefined on MongoDB, where counting costs a query. */
  readonly entries: number | undefined;
  readonly inFlight: number;
  readonly bytes: number | undefined;
  /** Keys dropped before they expired, for want of room. */
  readonly evicted: number;
  /** Calls answered from the store. */
  readonly hits: number;
  /** Times `fn` was started, bypassed ones too. */
  readonly runs: number;
  /** Calls that waited for another's run and got its answer. */
  readonly joins: number;
  readonly failures: number;
  /** Runs that resumed a dead owner's. */
  readonly takeovers: number;
  readonly lost: number;
  readonly bypassed: number;
  /** Calls refused with `IDEMPOTENCY_BUSY`. */
  readonly busy: number;
  readonly storeErrors: number;
}

/** Runs work once per key and gives everybody the answer. Safe for any number of concurrent callers. */
export interface Idempotency extends AsyncDisposable {
  /** How long an answer is replayed, milliseconds: the option. */
  readonly ttlMs: number;
  /** As {@link Idempotency.execute}, resolves with the value alone. */
  run<T>(key: Key, fn: (op: Operation) => T | Promise<T>, options?: RunOptions<T>): Promise<T>;
  /**
   * Runs `fn` if nobody has and nobody does, else gives the answer of the run that did: a finished one's from the store, one
   * in flight's once it ends. A run that throws rejects for all who joined it, and the next call runs again.
   *
   * Guaranteed among all who share the store: one live owner per key. Not guaranteed: that `fn` never runs twice. A process
   * that dies, or loses its lease by hanging, is taken over; `op.step` and `op.id` are for that.
   *
   * @throws IdempotencyError `IDEMPOTENCY_INVALID_KEY`; `_BUSY` after `waitMs`, with `retryAfterMs`; `_KEY_REUSED` for another
   * `fingerprint`; `_LEASE_LOST` when this call's run is no longer the owner; `_STORE_FAILED`; `_INVALID_VALUE` when what `fn`
   * gave can't be replayed; `_CLOSED`. What `fn` throws comes through untouched.
   */
  execute<T>(key: Key, fn: (op: Operation) => T | Promise<T>, options?: RunOptions<T>): Promise<Outcome<T>>;
  /** Resolves when the store can be reached, else rejects `IDEMPOTENCY_STORE_FAILED`. Call it at start. */
  ready(): Promise<void>;
  /** What is known of a key, or undefined. Takes nothing and changes nothing. */
  peek(key: Key): Promise<Snapshot | undefined>;
  /** Removes a key, so that the next call runs. A run in flight loses its lease. Resolves with whether there was one. */
  forget(key: Key): Promise<boolean>;
  stats(): Stats;
  /** Refuses new calls, waits for the runs in flight, lets the store go. Callers that wait for other instances are sent away busy. */
  close(): Promise<void>;
}

/**
 * Makes an {@link Idempotency}. It does no I/O: the store is opened by `ready()` or the first call.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION` naming the option, the rule and what was given.
 * @example
 * const idempotency = createIdempotency();
 * const receipt = await idempotency.run(['charge', orderId], async (op) => charge(orderId, op.id));
 */
export function createIdempotency(options: IdempotencyOptions = {}): Idempotency {
  return new Core(settingsOf(options), options.store ?? memoryStore());
}
