import { isJournalError, type Journal, type JournalEvent, openJournal } from '@holdfast/journal';
import type { Entry, Row } from './entry.js';
import type { KbEvent } from './events.js';
import { type ExactEntry, fromExact, toExact } from './exact-json.js';
import { startError } from './open-kb.js';
import { bad } from './options.js';
import type { KbStore, OpenStore, StoreContext } from './store.js';

/** What {@link fileStore} takes. */
export interface FileStoreOptions {
  /** The folder, made with mode 0700 when it is missing; files in it have mode 0600. One process at a time owns it. */
  dir: string;
}

/** A row as one line of the log. */
type Line = Omit<Row, 'entry'> & { entry?: Entry | undefined; marks?: ExactEntry['marks'] };

/**
 * Keeps the knowledge base in a folder, in an append-only log that needs no server.
 *
 * Guarantees: a write is acknowledged after its `fdatasync`; kill -9 loses nothing acknowledged; damage is found and
 * never skipped in silence. A second process is refused (`KB_START`, kind `locked`). Does not guarantee anything on
 * network file systems, and can't be shared by instances: that is what `mongoStore` is for.
 */
export function fileStore(options: FileStoreOptions): KbStore {
  if (typeof options?.dir !== 'string' || options.dir === '') throw bad('dir', 'be the path of a folder', options?.dir);
  const { dir } = options;
  const name = `the folder ${dir}`;
  return { name, open: (context) => openFile(dir, name, context) };
}

async function openFile(dir: string, name: string, context: StoreContext): Promise<OpenStore> {
  const { clock, signal } = context;
  let loading = true;
  let poison: unknown;
  /** Lines that were set aside as unreadable: compaction keeps them, so that they can still be repaired. */
  let unreadable: Line[] = [];
  let journal: Journal<Line>;
  try {
    journal = await openJournal<Line>({
      dir,
      clock,
      signal,
      onDamage: context.onDamage,
      openTimeoutMs: Math.min(context.startTimeoutMs, 2 ** 31),
      // The core has checked the entry's own size; this leaves room for what stands around it.
      maxRecordBytes: 16 * 2 ** 20,
      apply: (line) => {
        const wrong = loading ? faultOf(line) : undefined;
        if (wrong === undefined) {
          if (unreadable.length > 0) unreadable = unreadable.filter((each) => each?.id !== line.id);
          return context.apply(rowOf(line));
        }
        unreadable.push(line);
        try {
          context.poison(String(line?.id), wrong);
        } catch (error) {
          poison ??= error;
        }
      },
      snapshot: () => snapshotOf(context, unreadable),
      onProgress: ({ bytes, totalBytes }) => context.progress({ loaded: bytes, total: totalBytes, unit: 'bytes' }),
      onEvent: (event) => {
        const told = translated(event);
        if (told) context.emit(told);
      },
    });
  } catch (error) {
    throw refusal(name, error);
  }
  if (poison !== undefined) {
    await journal.close();
    throw poison;
  }
  loading = false;
  const { tornBytes, quarantinedBytes } = journal.stats();
  context.health({ state: 'ready', tail: 'local', lagMs: 0, tornBytes, quarantinedBytes });
  journal.signal.addEventListener('abort', () => context.health({ state: 'failed', cause: journal.failure }));
  return openStore(journal, context);
}

function openStore(journal: Journal<Line>, context: StoreContext): OpenStore {
  return {
    async commit({ row, base }) {
      if (context.row(row.id)?.rev !== base) return { status: 'conflict' };
      try {
        await journal.append(lineOf(row));
        return { status: 'ok' };
      } catch (cause) {
        return { status: 'failed', cause };
      }
    },
    async read(id) {
      return context.row(id);
    },
    // The log has one writer, and memory is what its lines made: there is nothing to differ from.
    async compare() {
      let compared = 0;
      for (const _ of context.rows()) compared++;
      return { compared, differing: [], missing: [], extra: [] };
    },
    close: () => journal.close(),
  };
}

/** The present rows as lines. Tombstones whose time is over are left out, here and in memory. */
function* snapshotOf(context: StoreContext, unreadable: readonly Line[]): Generator<Line> {
  for (const row of context.rows()) {
    if (row.purgeAt !== undefined && row.purgeAt <= context.clock.now()) context.forget(row.id, row);
    else yield lineOf(row);
  }
  yield* unreadable;
}

function lineOf(row: Row): Line {
  return row.entry ? { ...row, ...toExact(row.entry) } : row;
}

function rowOf(line: Line): Row {
  if (!line.marks) return line;
  const { marks, ...row } = line;
  return { ...row, entry: fromExact({ entry: row.entry!, marks }) };
}

/** What makes a line unreadable as a row, if anything. */
function faultOf(line: Line): string | undefined {
  if (typeof line !== 'object' || line === null) return 'it is no object';
  if (typeof line.id !== 'string') return 'it has no id';
  if (!Number.isSafeInteger(line.rev) || typeof line.op !== 'string' || typeof line.at !== 'number')
    return 'it has no revision';
  const { entry } = line;
  if (entry === undefined) return line.purgeAt === undefined ? 'it has no entry' : undefined;
  if (typeof entry !== 'object' || entry === null || entry.id !== line.id) return "its entry is not the id's";
  if (typeof entry.title !== 'string') return 'its title is no text';
  if (entry.body !== undefined && typeof entry.body !== 'string') return 'its body is no text';
  if (entry.category !== undefined && typeof entry.category !== 'string') return 'its category is no text';
  if (entry.tags !== undefined && !(Array.isArray(entry.tags) && entry.tags.every((tag) => typeof tag === 'string'))) {
    return 'its tags are no list of texts';
  }
  return undefined;
}

function refusal(name: string, error: unknown): unknown {
  if (!isJournalError(error)) return error;
  switch (error.code) {
    case 'JOURNAL_LOCKED':
      return startError('locked', name, error, { pid: error.owner?.pid, host: error.owner?.host });
    case 'JOURNAL_DAMAGED':
      return startError('damaged', name, error);
    case 'JOURNAL_UNUSABLE':
      return startError('unusable', name, error);
    default:
      return startError('store', name, error);
  }
}

/** The journal's events that concern the owner of a knowledge base. */
function translated(event: JournalEvent): KbEvent | undefined {
  switch (event.type) {
    case 'journal.tail-cut':
      return { type: 'kb.tail-cut', file: event.file, bytes: event.bytes };
    case 'journal.damage-found': {
      const { file, offset, bytes, quarantined } = event;
      return quarantined ? { type: 'kb.damage-quarantined', file, offset, bytes } : undefined;
    }
    case 'journal.directory-sync-unsupported':
      return { type: 'kb.directory-sync-unsupported', dir: event.dir, reason: event.reason };
    case 'journal.compacted': {
      const { bytesBefore, bytesAfter, ms } = event;
      return { type: 'kb.compacted', bytesBefore, bytesAfter, ms };
    }
    case 'journal.compaction-failed':
      return { type: 'kb.compaction-failed', reason: event.reason };
    default:
      return undefined;
  }
}
