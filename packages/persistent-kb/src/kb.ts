import type { Change } from './changes.js';
import type { Entry, Stored } from './entry.js';
import type { KbHealth } from './health.js';
import type { Query, QueryResult } from './query.js';
import type { ImportResult } from './transfer.js';
import type { VerifyOptions, VerifyReport } from './verify.js';

/** What a `put` may ask for. */
export interface PutOptions {
  /** Write only if the stored revision is this one, or if there is no such entry. Otherwise `KB_CONFLICT`. */
  ifRev?: number | 'absent' | undefined;
  /**
   * The caller's name for this write, 1 to 200 characters. The same `opId` on the same id again writes nothing and gives
   * the first result. Remembered for the last 10,000 such writes, and across restarts while at most four writes followed.
   */
  opId?: string | undefined;
}

/** Counters since it was opened, and sizes. */
export interface KbStats {
  readonly entries: number;
  /** Deleted ids whose revision is still remembered. */
  readonly tombstones: number;
  readonly tags: number;
  readonly categories: number;
  /** Writes acknowledged. */
  readonly writes: number;
  /** Writes that another instance was faster than, retried or rejected. */
  readonly conflicts: number;
  /** Writes that wait for their answer. */
  readonly pending: number;
  readonly inDoubt: number;
  readonly queries: number;
  readonly quarantined: number;
}

/**
 * A knowledge base in memory, durable in its store. Safe for any number of concurrent callers. Reads are synchronous and
 * never touch the store; what they give is frozen.
 *
 * A write resolves once it is durable, and is then visible to this instance's reads. Other instances on the same MongoDB
 * collection see it a little later; an entry that is read there may be older than the newest.
 */
export interface Kb<T extends Entry = Entry> extends AsyncDisposable {
  get(id: string): Stored<T> | undefined;
  /** Answers from memory. Every hit is frozen. @throws TypeError for a malformed query. */
  query(query: Query): QueryResult<T>;
  /**
   * Writes an entry, replacing the one with its id.
   *
   * @throws KbError `KB_INVALID_ENTRY`, `KB_TOO_LARGE` (before anything is sent), `KB_CONFLICT` (with `ifRev`),
   * `KB_STORE_FAILED` (not stored), `KB_UNKNOWN_OUTCOME` (may be stored), `KB_CLOSED`.
   */
  put(entry: T, options?: PutOptions): Promise<Stored<T>>;
  /**
   * Replaces an entry by what `fn` makes of it. `fn` gets the stored entry, returns a whole one with the same id, and runs
   * again whenever another instance was faster; what it throws is passed on, and nothing is written.
   *
   * @throws KbError `KB_NOT_FOUND`, and as `put`.
   */
  patch(id: string, fn: (stored: Stored<T>) => T | Promise<T>): Promise<Stored<T>>;
  /** Removes an entry; false when there is none. The revision is remembered for seven days. @throws KbError as `put`. */
  delete(id: string, options?: { ifRev?: number | undefined }): Promise<boolean>;
  /** Puts each entry, up to 64 at once, and yields how each one ended, in order. One bad entry does not stop the others. */
  import(entries: Iterable<T> | AsyncIterable<T>): AsyncIterable<ImportResult>;
  /** Every entry, in slices; an entry written meanwhile may appear in its older or its newer form. */
  export(): AsyncIterable<Stored<T>>;
  /**
   * What becomes visible from now on, whoever wrote it, in the order in which it does. A reader more than 1,000 changes
   * behind gets `reset` and the end. Ends at `close`; throws `signal.reason` when it aborts.
   */
  changes(options?: { signal?: AbortSignal | undefined }): AsyncIterable<Change<T>>;
  /** Compares the indexes with the data, and the data with the store, in slices; with `repair` makes them agree. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  stats(): KbStats;
  health(): KbHealth;
  /** Refuses new writes, waits for those under way, lets the store go. Reads still answer. Idempotent. */
  close(): Promise<void>;
}
