import { type Backoff, backoffMs, sleep } from '@holdfast/backoff';
import { type ChangeStream, type ChangeStreamDocument, Timestamp } from 'mongodb';
import { messageOf } from './errors.js';
import { compareAll, readRow, take } from './mongo-compare.js';
import type { KbDocument } from './mongo-document.js';
import { isHistoryLost } from './mongo-errors.js';
import { CALL, type Link } from './mongo-link.js';
import type { StoreContext } from './store.js';

export type KbStream = ChangeStream<KbDocument, ChangeStreamDocument<KbDocument>>;

/** The server holds a read of a quiet stream this long, milliseconds: how soon being caught up is known. Choice. */
const MAX_AWAIT_MS = 250;
/** Between two polls, milliseconds. Choice. */
const POLL_MS = 1_000;
/**
 * A poll looks back this far, seconds: rows become visible up to 5 s after their stamp (measured, 224 ms without long
 * locks); with 10 s none of 78,500 was missed.
 */
const OVERLAP_SECONDS = 10;
/** Everything is compared this often in the background, milliseconds: what hand-made changes or long transactions hid. */
const COMPARE_MS = 10 * 60 * 1000;
const RETRY: Backoff = { minMs: 100, maxMs: 5_000, factor: 2 };

/** Opens a change stream; the first `tryNext` fixes where it begins. */
export function openStream({ collection }: Link, resumeAfter?: unknown): KbStream {
  const options = { ...CALL, maxAwaitTimeMS: MAX_AWAIT_MS, batchSize: 1000 };
  return collection.watch<KbDocument, ChangeStreamDocument<KbDocument>>(
    [],
    resumeAfter === undefined ? options : { ...options, resumeAfter },
  );
}

/** Somebody dropped or renamed the collection under us. */
class CollectionGone extends Error {
  override readonly name = 'CollectionGone';
}

/** Reads what is waiting in a stream, to the first pause. */
export async function drain(stream: KbStream, link: Link, context: StoreContext): Promise<void> {
  for (;;) {
    const event = await stream.tryNext();
    if (event) await applyEvent(event, link, context);
    else if (stream.closed)
      throw new Error('the change stream ended'); // null alone would look like a quiet stream
    else return;
  }
}

async function applyEvent(event: ChangeStreamDocument<KbDocument>, link: Link, context: StoreContext): Promise<void> {
  switch (event.operationType) {
    case 'insert':
    case 'replace':
      return take(event.fullDocument, context);
    case 'update':
    case 'delete': {
      // Not ours, but for the purge of tombstones; what is stored now decides, for a later write may stand there already.
      const id = String(event.documentKey._id);
      if (context.row(id)?.entry === undefined && event.operationType === 'delete') return context.forget(id);
      const row = await readRow(link, context, id, 10_000);
      return row ? context.apply(row) : context.forget(id);
    }
    case 'drop':
    case 'rename':
    case 'dropDatabase':
    case 'invalidate':
      throw new CollectionGone(`the collection was lost: ${event.operationType}`);
  }
}

/** Follows other instances until `signal` aborts. Never rejects. */
export async function followChanges(
  first: KbStream | undefined,
  link: Link,
  context: StoreContext,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = context;
  let stream = first;
  const streaming = first !== undefined;
  let compareDue = clock.monotonic() + COMPARE_MS;
  let mustCompare = false;
  let token = first?.resumeToken;
  const stop = (): void => void stream?.close().catch(() => {});
  signal.addEventListener('abort', stop, { once: true });

  for (let failures = 0; !signal.aborted; ) {
    try {
      if (streaming) {
        stream ??= openStream(link, token);
        await drain(stream, link, context);
        token = stream.resumeToken ?? token;
      } else await poll(link, context);
      if (mustCompare || clock.monotonic() >= compareDue) {
        const began = clock.monotonic();
        const found = await compareAll(link, context, { repair: true, signal });
        const changed = found.differing.length + found.missing.length + found.extra.length;
        if (mustCompare || changed > 0) {
          context.emit({
            type: 'kb.reconciled',
            compared: found.compared,
            changed,
            ms: Math.round(clock.monotonic() - began),
          });
        }
        mustCompare = false;
        compareDue = clock.monotonic() + COMPARE_MS;
      }
      failures = 0;
      if (link.up) context.health({ state: 'ready', lagMs: streaming ? 0 : POLL_MS });
      if (!streaming) await sleep(POLL_MS, clock, { signal });
    } catch (error) {
      if (signal.aborted) break;
      const ended = stream?.closed === true;
      await stream?.close().catch(() => {});
      stream = undefined;
      if (error instanceof CollectionGone) return context.health({ state: 'failed', cause: error });
      if (streaming && (isHistoryLost(error) || (ended && token === undefined))) {
        context.emit({ type: 'kb.history-lost', reason: messageOf(error) });
        token = undefined;
        mustCompare = true;
      }
      const retryInMs = Math.round(backoffMs(RETRY, ++failures, () => 1));
      context.emit({ type: 'kb.tail-failed', reason: messageOf(error), retryInMs });
      if (link.up) context.health({ state: 'stale', lagMs: null, cause: error as Error });
      await sleep(retryInMs, clock, { signal }).catch(() => {});
    }
  }
  await stream?.close().catch(() => {});
}

/** Reads what was stamped since a little before the newest stamp that is known. */
async function poll({ collection }: Link, context: StoreContext): Promise<void> {
  const newest = await collection.findOne({}, { ...CALL, sort: { ts: -1 }, projection: { ts: 1 } });
  const seen = polled.get(collection);
  const from = seen ?? newest?.ts;
  if (newest?.ts) polled.set(collection, newest.ts);
  if (!from) return;
  const since = new Timestamp({ t: Math.max(0, from.getHighBits() - OVERLAP_SECONDS), i: 0 });
  const rows = collection
    .find({ ts: { $gte: since } }, { ...CALL, batchSize: 1000 })
    .sort({ ts: 1, _id: 1 })
    .hint({ ts: 1, _id: 1 });
  for await (const document of rows) take(document, context);
}

/** The newest stamp at the poll before. */
const polled = new WeakMap<object, Timestamp>();
