import { sleep } from '@holdfast/backoff';
import type { Row } from './entry.js';
import { isKbError, KbError } from './errors.js';
import { checksum, fromDocument, type KbDocument } from './mongo-document.js';
import { CALL, type Link } from './mongo-link.js';
import { slicer } from './slices.js';
import type { OpenStore, StoreComparison, StoreContext } from './store.js';

/** Documents in a batch. The driver's default batches hold the event loop for 500 ms and take 100 MB more (measured). */
const BATCH = 1_000;
/** Suspicious ids that are asked for at once. Choice. */
const RECHECK = 500;
/** Linearizable reads at once, and how long each may take, milliseconds: longer than an election. Choice. */
const CERTAIN_AT_ONCE = 32;
const CERTAIN_MS = 15_000;
/** How often a scan that was cut goes on from where it was. Choice. */
const MOST_CUTS = 5;

/** Takes a stored document into memory, or sets it aside. */
export function take(document: Partial<KbDocument>, context: StoreContext): void {
  const row = fromDocument(document);
  if ('fault' in row) context.poison(row.id, row.fault);
  else context.apply(row);
}

/** What a majority of the servers has of one id; `linearizable`: all that any of them has acknowledged before the call. */
export async function readRow(
  link: Link,
  context: StoreContext,
  id: string,
  timeoutMs: number,
  level: 'majority' | 'linearizable' = 'majority',
): Promise<Row | undefined> {
  const controller = new AbortController();
  const cancel = context.clock.schedule(timeoutMs, () => controller.abort(new Error('no answer from MongoDB')), {
    ref: true,
  });
  try {
    const document = await link.collection.findOne(
      { _id: id },
      { ...CALL, readConcern: level, readPreference: 'primary', signal: controller.signal },
    );
    if (!document) return undefined;
    const row = fromDocument(document);
    if (!('fault' in row)) return row;
    context.poison(id, row.fault);
    throw new KbError('KB_STORE_FAILED', `the stored entry '${id}' can't be read: ${row.fault}`, { id });
  } finally {
    cancel();
  }
}

/** Hands over every document, by id; when the cursor dies it goes on after the last one. */
export async function scanAll(
  { collection }: Link,
  context: StoreContext,
  signal: AbortSignal,
  each: (document: KbDocument) => void,
  projection?: Record<string, 1>,
): Promise<void> {
  const turn = slicer(context.clock);
  let last: string | undefined;
  for (let cuts = 0; ; ) {
    try {
      const options = {
        ...CALL,
        batchSize: BATCH,
        readConcern: 'majority',
        readPreference: 'primary',
        signal,
      } as const;
      const cursor = collection
        .find(last === undefined ? {} : { _id: { $gt: last } }, projection ? { ...options, projection } : options)
        .sort({ _id: 1 });
      for await (const document of cursor) {
        each(document);
        last = document._id;
        const pause = turn();
        if (pause) await pause;
      }
      return;
    } catch (error) {
      if (signal.aborted || ++cuts > MOST_CUTS || (error as { code?: unknown }).code === 13) throw error;
      if ((error as { name?: string }).name === 'KbError') throw error;
      await sleep(100 * cuts, context.clock, { signal });
    }
  }
}

/** Compares every stored revision and checksum with memory; with `repair` memory becomes what is stored. */
export async function compareAll(
  link: Link,
  context: StoreContext,
  { repair, signal, onProgress }: Parameters<OpenStore['compare']>[0],
): Promise<StoreComparison> {
  const seen = new Set<string>();
  const suspects: string[] = [];
  await scanAll(
    link,
    context,
    signal,
    ({ _id: id, rev, crc }) => {
      seen.add(id);
      if (seen.size % BATCH === 0) onProgress?.(seen.size);
      const row = context.row(id);
      const same = row?.rev === rev && (row.entry === undefined || checksum(row.entry) === crc);
      if (!same && !context.isPoisoned(id)) suspects.push(id);
    },
    { _id: 1, rev: 1, crc: 1 },
  );
  for (const row of context.rows()) if (!seen.has(row.id)) suspects.push(row.id);

  // What differs may only have been written during the scan: it is asked for again.
  const found: StoreComparison = { compared: seen.size, differing: [], missing: [], extra: [] };
  for (let at = 0; at < suspects.length; at += RECHECK) {
    signal.throwIfAborted();
    const ids = suspects.slice(at, at + RECHECK);
    const before = new Map(ids.map((id) => [id, context.row(id)]));
    const stored = await readRows(link, context, ids, signal);
    // Just after an election a majority read may lag behind what was acknowledged: memory being ahead is asked for twice.
    const ahead = ids.filter((id) => (before.get(id)?.rev ?? 0) > (stored.get(id)?.rev ?? 0));
    for (let n = 0; link.replicated && n < ahead.length; n += CERTAIN_AT_ONCE) {
      signal.throwIfAborted();
      await Promise.all(
        ahead.slice(n, n + CERTAIN_AT_ONCE).map(async (id) => {
          const row = await readRow(link, context, id, CERTAIN_MS, 'linearizable').catch(unlessUnreadable);
          if (row) stored.set(id, row);
        }),
      );
    }
    for (const id of ids) judgeOne(before.get(id), stored.get(id), id);
  }
  return found;

  /** `known` is what memory had before the store was asked: if it has changed since, it is newer than the answer. */
  function judgeOne(known: Row | undefined, stored: Row | undefined, id: string): void {
    if (context.isPoisoned(id) || context.row(id) !== known) return;
    if (!stored) {
      if (known?.entry) found.extra.push(id);
      if (known && repair) context.forget(id, known);
    } else if (!known) {
      if (stored.entry) found.missing.push(id);
      if (repair) context.apply(stored);
    } else if (known.rev !== stored.rev || contentOf(known) !== contentOf(stored)) {
      found.differing.push(id);
      if (!repair) return;
      // A revision that is not above the known one would not be taken: the store was changed by hand, or set back.
      if (known.rev >= stored.rev) context.forget(id, known);
      context.apply(stored);
    }
  }
}

/** What a majority of the servers has of many ids. Those that can't be read are set aside. */
async function readRows(
  { collection }: Link,
  context: StoreContext,
  ids: string[],
  signal: AbortSignal,
): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const options = { ...CALL, readConcern: 'majority', readPreference: 'primary', signal } as const;
  for await (const document of collection.find({ _id: { $in: ids } }, options)) {
    const row = fromDocument(document);
    if ('fault' in row) context.poison(row.id, row.fault);
    else rows.set(row.id, row);
  }
  return rows;
}

function unlessUnreadable(error: unknown): undefined {
  if (!isKbError(error, 'KB_STORE_FAILED')) throw error;
}

function contentOf(row: Row): number | undefined {
  return row.entry && checksum(row.entry);
}
