import { sleep } from '@holdfast/backoff';
import type { Row } from './entry.js';
import { checksum, fromDocument, type KbDocument } from './mongo-document.js';
import { CALL, type Link } from './mongo-link.js';
import type { StoreComparison, StoreContext } from './store.js';

/** Documents in a batch: 1,000 hold the event loop 21–31 ms, the default 500 ms (measured). */
const BATCH = 1_000;
/** How often a scan that was cut goes on from where it was. Choice. */
const MOST_CUTS = 5;

/** Takes a stored document into memory, or sets it aside. */
export function take(document: Partial<KbDocument>, context: StoreContext): void {
  const row = fromDocument(document);
  if ('fault' in row) context.poison(row.id, row.fault);
  else context.apply(row);
}

/** What a majority of the servers has of one id. */
export async function readRow(
  link: Link,
  context: StoreContext,
  id: string,
  timeoutMs: number,
): Promise<Row | undefined> {
  const controller = new AbortController();
  const cancel = context.clock.schedule(timeoutMs, () => controller.abort(new Error('no answer from MongoDB')), {
    ref: true,
  });
  try {
    const document = await link.collection.findOne(
      { _id: id },
      { ...CALL, readConcern: 'majority', readPreference: 'primary', signal: controller.signal },
    );
    if (!document) return undefined;
    const row = fromDocument(document);
    if (!('fault' in row)) return row;
    context.poison(id, row.fault);
    throw new Error(`the stored entry can't be read: ${row.fault}`);
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
  { repair, signal }: { repair: boolean; signal: AbortSignal },
): Promise<StoreComparison> {
  const seen = new Set<string>();
  const suspects: string[] = [];
  await scanAll(
    link,
    context,
    signal,
    ({ _id: id, rev, crc }) => {
      seen.add(id);
      const row = context.row(id);
      const same = row?.rev === rev && (row.entry === undefined || checksum(row.entry) === crc);
      if (!same && !context.isPoisoned(id)) suspects.push(id);
    },
    { _id: 1, rev: 1, crc: 1 },
  );
  for (const row of context.rows()) if (!seen.has(row.id)) suspects.push(row.id);

  // What differs may only have been written during the scan: it is asked for again, one by one.
  const found: StoreComparison = { compared: seen.size, differing: [], missing: [], extra: [] };
  for (const id of suspects) {
    signal.throwIfAborted();
    const stored = await readRow(link, context, id, 10_000).catch((error: unknown) => {
      if (context.isPoisoned(id)) return undefined;
      throw error;
    });
    if (context.isPoisoned(id)) continue;
    const known = context.row(id);
    if (!stored) {
      if (known?.entry) found.extra.push(id);
      if (known && repair) context.forget(id);
    } else if (!known) {
      if (stored.entry) found.missing.push(id);
      if (repair) context.apply(stored);
    } else if (known.rev < stored.rev || (known.rev === stored.rev && contentOf(known) !== contentOf(stored))) {
      found.differing.push(id);
      if (!repair) continue;
      if (known.rev === stored.rev) context.forget(id);
      context.apply(stored);
    }
  }
  return found;
}

function contentOf(row: Row): number | undefined {
  return row.entry && checksum(row.entry);
}
