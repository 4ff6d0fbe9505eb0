import type { Clock } from '@holdfast/clock';

/** What {@link openJournal} needs. `R` is a JSON-safe record; what it means is the caller's business. */
export interface JournalOptions<R> {
  /** The directory, made with mode 0700 when it is missing. One owner at a time, see `JOURNAL_LOCKED`. */
  dir: string;
  /**
   * Called synchronously for each record, in order: with `'replay'` while opening, with `'live'` once a record is
   * durable and before its `append` resolves. The state of a journal's user is what `apply` made of the records.
   */
  apply(record: R, origin: 'replay' | 'live'): void;
  /**
   * Records that rebuild the present state, read in slices by compaction while new records may be applied. It is called
   * right after a rotation, when every durable record has been applied; records appended after that moment are replayed
   * on top, so `apply` must come to the same state when a record is applied to a state that already has it.
   */
  snapshot(): Iterable<R>;
  /** Damage anywhere but in the torn tail: reject with `JOURNAL_DAMAGED` and touch nothing (default), or set the bytes aside. */
  onDamage?: 'refuse' | 'quarantine' | undefined;
  /** Largest segment before a rotation, bytes. */
  segmentBytes?: number | undefined;
  /** Largest record as JSON, bytes; above it `append` rejects with `JOURNAL_TOO_LARGE` before any I/O. */
  maxRecordBytes?: number | undefined;
  /** How long an owner that can't be proven dead or alive is watched before it is replaced, milliseconds. */
  staleMs?: number | undefined;
  /** How long opening may take, milliseconds. */
  openTimeoutMs?: number | undefined;
  /** Told at most every 100 ms while opening, and once at the end. */
  onProgress?: ((progress: { bytes: number; totalBytes: number; records: number }) => void) | undefined;
  /** Observes; what it throws changes nothing. Also on the diagnostics channel `holdfast.journal`. */
  onEvent?: ((event: JournalEvent) => void) | undefined;
  /** Gives up opening. */
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/** An open journal. Safe for any number of concurrent callers in one process; other processes are kept out. */
export interface Journal<R> extends AsyncDisposable {
  /**
   * Resolves once the record is durable (written, `fdatasync`ed, ownership checked) and applied. The record is serialised
   * before `append` returns, so changing it afterwards changes nothing. An array is one atomic unit: all or none of it.
   *
   * @throws JournalError `JOURNAL_TOO_LARGE`; `JOURNAL_WRITE_FAILED` (no space, short write: cut back, later appends are
   * good); `JOURNAL_FAILED` (a failed fsync or a lost directory: fail-stop); `JOURNAL_CLOSED`.
   */
  append(record: R | readonly R[]): Promise<void>;
  /** Writes a snapshot and drops the segments that it replaces. Runs by itself as the log outgrows its live part. */
  compact(): Promise<void>;
  stats(): JournalStats;
  /** Why the journal is fail-stop, if it is. */
  readonly failure: Error | undefined;
  /** Aborts when the journal becomes fail-stop. */
  readonly signal: AbortSignal;
  /** Waits for waiting appends, then gives the directory up. Idempotent. */
  close(): Promise<void>;
}

/** Counts of an open journal. */
export interface JournalStats {
  /** Size of the snapshot and all segments, bytes; of the segments how many; and the records in them, live or not. */
  bytes: number;
  segments: number;
  records: number;
  /** Since it was opened: appends that resolved, and the commits (one write, one fdatasync) that carried them. */
  appends: number;
  syncs: number;
  compactions: number;
  /** What opening cut off as a torn tail, and what it set aside as damage, bytes. */
  tornBytes: number;
  quarantinedBytes: number;
}

/** Who owns a journal directory, as far as it is known. */
export interface JournalOwner {
  pid: number;
  host: string;
}

/** What a journal tells. `file` is a name in the epoch directory, `offset` and `bytes` are in it, `reason` is a system code or a text. */
export type JournalEvent =
  | { type: 'journal.opened'; dir: string; records: number; bytes: number; ms: number }
  | { type: 'journal.tail-cut'; file: string; offset: number; bytes: number }
  | { type: 'journal.damage-found'; file: string; offset: number; bytes: number; quarantined: boolean }
  | { type: 'journal.rotated'; segment: number }
  | { type: 'journal.compacted'; bytesBefore: number; bytesAfter: number; ms: number }
  | { type: 'journal.compaction-failed'; reason: string }
  | { type: 'journal.write-failed'; reason: string }
  | { type: 'journal.failed'; reason: string }
  | { type: 'journal.directory-sync-unsupported'; dir: string; reason: string }
  | { type: 'journal.closed'; dir: string };

/**
 * `JOURNAL_LOCKED` carries `owner`; `JOURNAL_DAMAGED` carries `file` and `offset`; `JOURNAL_TOO_LARGE` carries `bytes` and
 * `limitBytes`. After `JOURNAL_WRITE_FAILED` the journal goes on, after `JOURNAL_FAILED` it has to be opened again.
 */
export type JournalErrorCode =
  | 'JOURNAL_LOCKED'
  | 'JOURNAL_DAMAGED'
  | 'JOURNAL_UNUSABLE'
  | 'JOURNAL_TOO_LARGE'
  | 'JOURNAL_WRITE_FAILED'
  | 'JOURNAL_FAILED'
  | 'JOURNAL_CLOSED';
