import { sleep } from '@holdfast/backoff';
import type { ChangeStream, ChangeStreamDocument, Timestamp } from 'mongodb';
import { isKbError } from './errors.js';
import { readRow, take } from './mongo-compare.js';
import type { KbDocument } from './mongo-document.js';
import { isHistoryLost, lacksChangeStreams } from './mongo-errors.js';
import { CollectionGone } from './mongo-identity.js';
import { CALL, type Link } from './mongo-link.js';
import type { Tail } from './mongo-tail.js';
import type { StoreContext } from './store.js';

type KbEventDocument = ChangeStreamDocument<KbDocument>;
type KbStream = ChangeStream<KbDocument, KbEventDocument>;

/** The server holds a read of a quiet stream this long, milliseconds: a start waits for it twice. Choice. */
const MAX_AWAIT_MS = 100;
/**
 * Between two reads of a stream that has events, milliseconds: they come together then. Without it every write of a lone
 * writer wakes server and client for an event of its own, and a third of its rate is gone (measured).
 */
const PACE_MS = 10;
/** Events that are read at once before health and token are brought up to date. Choice. */
const MOST_EVENTS = 1_000;
/** What `update` and `delete` events point at is read again, within this. Choice. */
const READ_MS = 10_000;

/** Follows a replica set by its change stream. */
export class StreamTail implements Tail {
  readonly kind = 'stream';
  #lagMs = 0;
  readonly pauseMs = 0;
  readonly #link: Link;
  readonly #context: StoreContext;
  #stream: KbStream | undefined;
  /** Where to go on from. It moves with other collections' writes too, so that a quiet one does not fall out of the history. */
  #token: unknown;
  #events = 0;
  readonly #end = new AbortController();

  /** A stream that has a place to begin from: what is written from now on is not missed. Undefined where there are none. */
  static async begin(link: Link, context: StoreContext): Promise<StreamTail | undefined> {
    const tail = new StreamTail(link, context);
    try {
      await tail.catchUp();
      return tail;
    } catch (error) {
      await tail.close();
      if (lacksChangeStreams(error)) return undefined;
      throw error;
    }
  }

  private constructor(link: Link, context: StoreContext) {
    this.#link = link;
    this.#context = context;
  }

  /** By this process's clock; 0 when all there is has been read. */
  get lagMs(): number {
    return this.#lagMs;
  }

  async catchUp(): Promise<void> {
    const before = this.#events;
    await this.#read((_event, count) => count === MOST_EVENTS || this.#buffered === 0);
    if (this.#events > before && this.#buffered === 0)
      await sleep(PACE_MS, this.#context.clock, { signal: this.#end.signal });
  }

  /** Events that were received and not read yet; undefined where this version of the driver does not tell. */
  get #buffered(): number | undefined {
    return (this.#stream as { cursor?: { bufferedCount?(): number } } | undefined)?.cursor?.bufferedCount?.();
  }

  async reach(): Promise<void> {
    const { operationTime } = await this.#link.collection.db.command({ ping: 1 });
    const goal = operationTime as Timestamp | undefined;
    await this.#read(({ clusterTime }) => (goal && clusterTime?.gt(goal)) === true);
  }

  /** Reads until there is nothing more for now, or `isEnough` says so: under steady writes there is always more. */
  async #read(isEnough: (event: KbEventDocument, count: number) => boolean): Promise<void> {
    if (this.#end.signal.aborted) return;
    const stream = this.#stream ?? openStream(this.#link, this.#token);
    this.#stream = stream;
    for (let count = 1; ; count++) {
      const event = await stream.tryNext();
      if (!event) {
        if (stream.closed) throw new Error('the change stream ended'); // null alone would look like a quiet stream
        this.#lagMs = 0;
        break;
      }
      await applyEvent(event, this.#link, this.#context);
      this.#events++;
      if (isEnough(event, count)) {
        const writtenAt = (event.clusterTime?.getHighBits() ?? 0) * 1000;
        this.#lagMs = this.#buffered === 0 ? 0 : Math.max(0, this.#context.clock.now() - writtenAt);
        break;
      }
    }
    this.#token = stream.resumeToken ?? this.#token;
  }

  async failed(error: unknown): Promise<boolean> {
    const ended = this.#stream?.closed === true;
    await this.#stream?.close().catch(() => {});
    this.#stream = undefined;
    const lost = isHistoryLost(error) || (ended && this.#token === undefined);
    if (lost) this.#token = undefined;
    return lost;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#stream?.close().catch(() => {}); // it may have ended by itself
  }
}

const UNREADABLE = Symbol('unreadable');

function openStream({ collection, instance }: Link, resumeAfter: unknown): KbStream {
  const options = { ...CALL, maxAwaitTimeMS: MAX_AWAIT_MS, batchSize: 1000 };
  // What this instance wrote it knows: by the acknowledgement, or by the read that settled it. Sent back to it, each write
  // would cost the server and the event loop once more: a third of a lone writer's rate (measured).
  return collection.watch<KbDocument, KbEventDocument>(
    [{ $match: { 'fullDocument.by': { $ne: instance } } }],
    resumeAfter === undefined ? options : { ...options, resumeAfter },
  );
}

async function applyEvent(event: KbEventDocument, link: Link, context: StoreContext): Promise<void> {
  switch (event.operationType) {
    case 'insert':
    case 'replace':
      return take(event.fullDocument, context);
    case 'update':
    case 'delete': {
      // Not ours, but for the purge of tombstones; what is stored now decides, for a later write may stand there already.
      const id = String(event.documentKey._id);
      const seen = context.row(id);
      if (event.operationType === 'delete' && seen?.entry === undefined) return context.forget(id, seen);
      const row = await readRow(link, context, id, READ_MS).catch((error: unknown): typeof UNREADABLE => {
        // It was set aside; thrown on, the stream would begin again at this very event, for ever.
        if (isKbError(error, 'KB_STORE_FAILED')) return UNREADABLE;
        throw error;
      });
      if (row === UNREADABLE) return;
      return row ? context.apply(row) : context.forget(id, seen);
    }
    case 'drop':
    case 'rename':
    case 'dropDatabase':
    case 'invalidate':
      throw new CollectionGone(`the collection is gone: ${event.operationType}`);
  }
}
