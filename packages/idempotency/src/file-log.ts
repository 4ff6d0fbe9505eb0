import type { Journal } from '@holdfast/journal';
import { type KeyRecord, type Run, releaseRecord, settleRecord, stepRecord } from './decide.js';
import type { RecordTable } from './record-table.js';

/** The state behind one directory. */
export interface FileState {
  readonly tables: Map<string, RecordTable>;
  /** Never goes back, not even over a restart with a clock set back. Epoch milliseconds. */
  now(): number;
  readonly journal: Journal<FileEntry>;
  tableOf(namespace: string): RecordTable;
  /** What is being written for a key, by namespace and key: resolves when the last of it is on the disk, or failed. */
  readonly writing: Map<string, Promise<void>>;
  /** Numbers of writes that were still possible when they were applied; the writer takes its own out. */
  readonly applied: Set<number>;
  nextWrite(): number;
}

/** One line of the log: what happened to key `k` of namespace `ns`, at the store's own time; `w` numbers a process's writes. */
export type FileEntry = { readonly ns: string; readonly k: string; readonly at: number; readonly w?: number } & (
  | { readonly op: 'claim'; readonly run: Run; readonly expiresAt: number }
  | { readonly op: 'settle'; readonly token: string; readonly value: string; readonly ttlMs: number }
  | { readonly op: 'release'; readonly token: string; readonly keepMs: number }
  | { readonly op: 'step'; readonly token: string; readonly name: string; readonly value: string }
  | { readonly op: 'forget' }
  | { readonly op: 'put'; readonly record: KeyRecord }
);

/**
 * Applies an entry. A live claim has been applied already, when it was decided: two claims in one turn must not both win.
 * Everything else is seen only once it is durable. Gives whether the entry was still possible.
 */
export function applyEntry(table: RecordTable, entry: FileEntry, origin: 'replay' | 'live'): boolean {
  const record = table.get(entry.k);
  let next: KeyRecord | undefined;
  switch (entry.op) {
    case 'claim': {
      if (origin === 'live') return true;
      const alive = record && entry.at < record.expiresAt ? record : undefined;
      next = { run: entry.run, last: alive?.last, older: alive?.older, expiresAt: entry.expiresAt };
      break;
    }
    case 'settle':
      next = settleRecord(record, entry.token, entry.value, entry.ttlMs, entry.at);
      break;
    case 'release':
      next = releaseRecord(record, entry.token, entry.keepMs, entry.at);
      break;
    case 'step':
      next = stepRecord(record, entry.token, entry.name, entry.value);
      break;
    case 'forget':
      return table.delete(entry.k);
    case 'put':
      next = entry.record;
  }
  if (next) table.set(entry.k, next);
  return next !== undefined;
}

/** Everything that has not expired. */
export function* snapshotEntries(tables: ReadonlyMap<string, RecordTable>, now: number): Iterable<FileEntry> {
  for (const [ns, table] of tables) {
    for (const [k, record] of [...table.entries()]) {
      if (now >= record.expiresAt) continue;
      const { run, last, older, expiresAt } = record;
      yield { ns, k, at: now, op: 'put', record: { run, last, older, expiresAt } };
    }
  }
}
