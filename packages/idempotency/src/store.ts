import type { Clock } from '@holdfast/clock';
import type { Claim, ClaimRequest, Delivered, KeyRecord, Replayed, Run } from './decide.js';
import type { IdempotencyEvent } from './events.js';
import type { EncodedValue } from './value.js';

/** A value now or later. The memory store answers at once, so that a replay costs no turn of the event loop. */
export type MaybePromise<T> = T | Promise<T>;

/** When an operation on a store must have ended. */
export interface Deadline {
  /** Aborts when the time is up. Made on first use. */
  readonly signal: AbortSignal;
}

/** What `peek` shows of a key. */
export interface KeySnapshot {
  readonly run: Run | undefined;
  readonly last: Delivered | undefined;
  readonly older: readonly Delivered[] | undefined;
  /** The store's own time, in the unit of the times in the snapshot. */
  readonly now: number;
  readonly expiresAt: number;
}

/** Counts of a store. */
export interface StoreStats {
  /** Keys held, or undefined when counting would cost a query. */
  readonly entries: number | undefined;
  /** Claimed and not yet settled or released. */
  readonly inFlight: number | undefined;
  readonly bytes: number | undefined;
  /** Keys dropped before they expired, for want of room. */
  readonly evicted: number;
}

/** What a store is opened with. */
export interface StoreContext {
  /** Keeps the keys of several `createIdempotency` on one store apart; the memory and file stores bound each by itself. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly storeTimeoutMs: number;
  readonly emit: (event: IdempotencyEvent) => void;
}

/** Where claims live. Made by `memoryStore`, `fileStore` or `mongoStore`; a store of your own passes the conformance cases of `./testing`. */
export interface Store {
  /** For messages: `memory`, `file` or `mongodb`. */
  readonly name: string;
  /** Reaches the store. Called again after it rejected. */
  open(context: StoreContext): MaybePromise<OpenStore>;
}

/**
 * A driver. There is no `get` and no `set`: the only entry is an atomic {@link OpenStore.claim}, so that check-then-set can't be
 * written. Whoever does not hold the token of the present run is refused (`false`) by renew, settle, release and step.
 */
export interface OpenStore {
  /** Set by a store that takes the time of a claim from `ClaimRequest.sent` when that is of this clock. */
  readonly clock?: Clock | undefined;
  /** Atomic across everybody who uses the store. The same token again is answered `mine`, so a lost answer can be asked for again. */
  claim(key: string, request: ClaimRequest, deadline: Deadline): MaybePromise<Claim>;
  /** What a claim of a plain key without a fingerprint would be answered, where that is `done` and can be told at once. */
  recall?(key: string): Replayed | undefined;
  renew(key: string, token: string, leaseMs: number, keepMs: number, deadline: Deadline): MaybePromise<boolean>;
  settle(key: string, token: string, value: EncodedValue, ttlMs: number, deadline: Deadline): MaybePromise<boolean>;
  /** Ends the lease and keeps id and steps for `keepMs`. */
  release(key: string, token: string, keepMs: number, deadline: Deadline): MaybePromise<boolean>;
  step(key: string, token: string, name: string, value: EncodedValue, deadline: Deadline): MaybePromise<boolean>;
  peek(key: string, deadline: Deadline): MaybePromise<KeySnapshot | undefined>;
  /** Removes the key whatever its state; a run in flight loses its lease. */
  forget(key: string, deadline: Deadline): MaybePromise<boolean>;
  stats(): StoreStats;
  /** Rejects when the store can't be reached now. */
  ping(deadline: Deadline): MaybePromise<void>;
  close(): MaybePromise<void>;
}

/** A snapshot of `record`, unless it has expired. */
export function snapshotOf(record: KeyRecord | undefined, now: number): KeySnapshot | undefined {
  if (!record || now >= record.expiresAt) return undefined;
  const { run, last, older, expiresAt } = record;
  return { run, last, older, expiresAt, now };
}
