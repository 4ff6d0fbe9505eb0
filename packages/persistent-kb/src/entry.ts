/**
 * What a knowledge base holds. Extend it: other fields are kept as they are, as long as they are values that survive
 * being stored (see `KB_INVALID_ENTRY`).
 */
export interface Entry {
  /** 1 to 512 bytes of UTF-8. Compared byte for byte: `é` composed and decomposed are two ids. */
  id: string;
  title: string;
  body?: string | undefined;
  /** Compared exactly, never trimmed or folded. A tag given twice counts once. */
  tags?: readonly string[] | undefined;
  category?: string | undefined;
}

/** An entry with what the store knows about it. Frozen, all the way down. */
export interface Stored<T extends Entry = Entry> {
  readonly entry: T;
  /** Grows by one with each write to this id, also across delete and re-create. */
  readonly rev: number;
  /** ISO 8601, by the clock of the process that wrote it. */
  readonly updatedAt: string;
}

/**
 * One id's newest state as drivers carry it. Without `entry` it is a tombstone: the entry was deleted, and `rev` is kept
 * so that it grows when the id is created again.
 */
export interface Row {
  readonly id: string;
  readonly rev: number;
  /** The operation that wrote it, unique to each write. */
  readonly op: string;
  /** The operations before it, newest first, at most {@link PRIOR_OPS}. They settle a write that others already wrote over. */
  readonly prior?: readonly string[] | undefined;
  /** Epoch milliseconds by the writer's clock; for people, never for ordering writes. */
  readonly at: number;
  readonly entry?: Entry | undefined;
  /** Tombstones only: from when on the store may forget it, epoch milliseconds. */
  readonly purgeAt?: number | undefined;
}

/** How many writers may write over an unsettled write before it can no longer be found. Choice: 16 B each, twice the instances people run. */
export const PRIOR_OPS = 4;

/** The `prior` of the row that follows `row`. */
export function priorOf(row: Row | undefined): readonly string[] | undefined {
  return row ? [row.op, ...(row.prior ?? [])].slice(0, PRIOR_OPS) : undefined;
}

/** Whether `row` is, or follows within its memory, the write `op`. */
export function carries(row: Row | undefined, op: string): boolean {
  return row !== undefined && (row.op === op || row.prior?.includes(op) === true);
}

/** Freezes what JSON and Dates can hold; done when a value is first handed out, so that loading does not pay for it. */
export function deepFreeze<V>(value: V): V {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

/** What readers get of a row that is not a tombstone. */
export function storedOf<T extends Entry>(row: Row): Stored<T> {
  return Object.freeze({
    entry: deepFreeze(row.entry) as T,
    rev: row.rev,
    updatedAt: new Date(row.at).toISOString(),
  });
}
