import { type Clock, systemClock } from '@holdfast/clock';
import { isJournalError, openJournal } from '@holdfast/journal';
import { IdempotencyError, refuseOption } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import { applyEntry, type FileEntry, type FileState, snapshotEntries } from './file-log.js';
import { FilePart } from './file-part.js';
import { readableKey } from './key.js';
import { count, DEFAULTS } from './options.js';
import { RecordTable } from './record-table.js';
import type { Store, StoreContext } from './store.js';

/** Options of {@link fileStore}. */
export interface FileStoreOptions {
  /** The directory, made with mode 0700 when missing. One process at a time. */
  dir: string;
  /** Keys kept per namespace; above it the least recently used one at rest is evicted, counted and evented. @defaultValue 10_000 */
  maxEntries?: number | undefined;
  /** Approximate bytes kept per namespace. @defaultValue 67_108_864 */
  maxBytes?: number | undefined;
}

/**
 * A store in a directory of this machine: a claim is on the disk before `fn` runs, an answer before it is given. After a
 * crash a settled key replays, and a claimed one is free at once, with `attempt: 2`, its id and its finished steps.
 *
 * One process at a time: a second one's calls reject `IDEMPOTENCY_STORE_FAILED`, naming the directory and its owner.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 */
export function fileStore(options: FileStoreOptions): Store {
  if (typeof options?.dir !== 'string' || options.dir === '') refuseOption('dir', 'must be a path', options?.dir);
  const { dir } = options;
  const bounds = {
    maxEntries: count('maxEntries', options.maxEntries ?? DEFAULTS.maxEntries),
    maxBytes: count('maxBytes', options.maxBytes ?? DEFAULTS.maxBytes, 1_024),
  };
  let state: Promise<FileState> | undefined;
  let users = 0;
  return {
    name: 'file',
    async open(context) {
      state ??= openState(dir, bounds, context);
      users++;
      try {
        const opened = await state;
        return new FilePart(opened, context.namespace, async () => {
          if (--users > 0) return;
          state = undefined;
          await opened.journal.close();
        });
      } catch (error) {
        users--;
        state = undefined;
        throw startFailure(dir, error);
      }
    },
  };
}

async function openState(
  dir: string,
  bounds: { maxEntries: number; maxBytes: number },
  context: StoreContext,
): Promise<FileState> {
  const { emit } = context;
  const tables = new Map<string, RecordTable>();
  const time = steadyTime(context.clock);
  const applied = new Set<number>();
  let writes = 0;
  const tableOf = (namespace: string): RecordTable => {
    let table = tables.get(namespace);
    if (!table) {
      table = new RecordTable({ ...bounds, clock: context.clock, now: time.now, onEvicted: evictionsTo(emit) });
      tables.set(namespace, table);
    }
    return table;
  };
  const journal = await openJournal<FileEntry>({
    dir,
    clock: context.clock,
    apply: (entry, origin) => {
      if (origin === 'replay') time.atLeast(entry.at);
      const possible = applyEntry(tableOf(entry.ns), entry, origin);
      if (possible && origin === 'live' && entry.w !== undefined) applied.add(entry.w);
    },
    snapshot: () => snapshotEntries(tables, time.now()),
  });
  // Whoever had claimed them is dead: the directory has one owner.
  for (const table of tables.values()) {
    for (const [key, record] of [...table.entries()]) {
      if (record.run && record.run.until > 0) table.set(key, { ...record, run: { ...record.run, until: 1 } });
    }
  }
  return { tables, now: time.now, journal, tableOf, writing: new Map(), applied, nextWrite: () => ++writes };
}

/** Wall-clock time that was never earlier, counted on by the monotonic clock. */
function steadyTime(clock: Clock = systemClock): { now(): number; atLeast(epochMs: number): void } {
  let offset = clock.now() - clock.monotonic();
  return {
    now: () => Math.floor(clock.monotonic() + offset),
    atLeast(epochMs) {
      offset = Math.max(offset, epochMs - clock.monotonic());
    },
  };
}

function evictionsTo(emit: (event: IdempotencyEvent) => void) {
  return (key: string, leftMs: number, why: 'no-room' | 'too-large'): void =>
    emit({ type: 'entry.evicted', key: readableKey(key), leftMs, why });
}

function startFailure(dir: string, cause: unknown): unknown {
  if (!isJournalError(cause)) return cause;
  const { owner } = cause;
  const who = owner ? `; it belongs to process ${owner.pid} on ${owner.host}` : '';
  return new IdempotencyError(
    'IDEMPOTENCY_STORE_FAILED',
    `the idempotency directory ${dir} could not be opened: ${cause.message}${cause.message.includes(String(owner?.pid)) ? '' : who}`,
    { operation: 'open', dir, pid: owner?.pid, host: owner?.host },
    { cause },
  );
}
