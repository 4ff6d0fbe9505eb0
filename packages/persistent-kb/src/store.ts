import type { Clock } from '@holdfast/clock';
import type { Row } from './entry.js';
import type { KbEvent } from './events.js';

/**
 * Where a knowledge base is kept. Made by `fileStore`, `mongoStore` or `memoryStore`; anybody can write another and run
 * the conformance cases of `@holdfast/persistent-kb/testing` over it.
 */
export interface KbStore {
  /** Names the place for people, without secrets: `the folder /var/lib/kb`. */
  readonly name: string;
  /**
   * Connects, hands every row to `context.apply`, starts to follow other writers, and resolves once `context` has all
   * that was durable when it was called. Rejects with a `KB_START` error and leaves nothing running.
   */
  open(context: StoreContext): Promise<OpenStore>;
}

/** An open store. */
export interface OpenStore {
  /**
   * Writes `write.row` if the stored revision is still `write.base`, durably. It never rejects: what can be known is in
   * the outcome. It has called `context.apply(write.row)` when it resolves `ok`.
   */
  commit(write: StoreWrite, limits: WriteLimits): Promise<WriteOutcome>;
  /** Reads one row as the store has it, durable as read. Rejects when it can't. A missing id is `undefined`. */
  read(id: string, limits: WriteLimits): Promise<Row | undefined>;
  /** How large a row is for this store when that is over its own limit, checked before anything is sent. */
  oversize?(row: Row): { bytes: number; maxBytes: number } | undefined;
  /** Compares what is stored with `context.rows()`, and applies what differs when `repair` is true. */
  compare(options: {
    repair: boolean;
    signal: AbortSignal;
    onProgress?: ((compared: number) => void) | undefined;
  }): Promise<StoreComparison>;
  /** Stops following, waits for what was sent, lets the place go. Called once, after the last commit was settled. */
  close(): Promise<void>;
}

/** One write: `row` takes the place of the row whose revision is `base`; `undefined` where the id was never seen. */
export interface StoreWrite {
  readonly row: Row;
  readonly base: number | undefined;
}

export interface WriteLimits {
  /** After this many milliseconds the answer is no longer waited for. */
  readonly timeoutMs: number;
}

/** How a commit ended. */
export type WriteOutcome =
  | { readonly status: 'ok' }
  /** The stored revision was not `base`: this call has written nothing. An earlier one of the same operation may have. */
  | { readonly status: 'conflict' }
  /** It may be stored or not, or may still become stored: ask with `read`. */
  | { readonly status: 'unknown'; readonly cause: unknown }
  /** It is not stored and never will be. */
  | { readonly status: 'failed'; readonly cause: unknown };

/** What a comparison of memory with the store found. */
export interface StoreComparison {
  compared: number;
  /** Ids whose stored revision or content is not the one in memory. */
  differing: string[];
  /** Stored ids that memory lacks. */
  missing: string[];
  /** Ids that are live in memory and not in the store. */
  extra: string[];
}

/** What a store is told about the knowledge base it fills. */
export interface StoreContext {
  readonly clock: Clock;
  readonly startTimeoutMs: number;
  readonly onDamage: 'refuse' | 'quarantine';
  /** Aborts when starting is over with: time is up, or the knowledge base was closed. */
  readonly signal: AbortSignal;
  /** Takes a row. Any order, any number of times: the highest revision wins. Never throws. */
  apply(row: Row): void;
  /**
   * Drops a row that the store no longer has at all: a purged tombstone, or an entry somebody removed by hand. `seen` is
   * `row(id)` from before the store was asked: when memory has another row by now, that one is newer than the answer.
   */
  forget(id: string, seen: Row | undefined): void;
  /** Reports something stored that can't be read as a row. Throws, with `onPoison: 'fail'`, what `open` must reject with. */
  poison(id: string, reason: string): void;
  /** Whether `id` was set aside as unreadable. */
  isPoisoned(id: string): boolean;
  /** The rows in memory, tombstones included. Safe to read in slices while rows change. */
  rows(): Iterable<Row>;
  row(id: string): Row | undefined;
  progress(progress: LoadProgress): void;
  health(change: StoreHealth): void;
  emit(event: KbEvent): void;
}

/** How far loading is. `total` is missing until it is known, and may be an estimate; the unit is the store's. */
export interface LoadProgress {
  loaded: number;
  total?: number | undefined;
  unit: 'entries' | 'bytes';
}

/** What a store knows about itself; a field that is absent did not change. */
export interface StoreHealth {
  state?: 'ready' | 'stale' | 'degraded' | 'failed' | undefined;
  tail?: 'stream' | 'poll' | 'local' | undefined;
  /** How far memory is behind the store, milliseconds; null when that can't be told. */
  lagMs?: number | null | undefined;
  tornBytes?: number | undefined;
  quarantinedBytes?: number | undefined;
  cause?: Error | undefined;
}
