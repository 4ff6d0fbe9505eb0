import { Timestamp } from 'mongodb';
import { take } from './mongo-compare.js';
import { CALL, type Link } from './mongo-link.js';
import type { Tail } from './mongo-tail.js';
import type { StoreContext } from './store.js';

/** Between two polls, milliseconds. Choice. */
const POLL_MS = 1_000;
/**
 * A poll looks back this far, seconds: rows become visible up to 7 s after their stamp when a lock holds them (measured,
 * 224 ms without); with 10 s none of 78,500 was missed. Transactions of others can be later: the full compare finds those.
 */
const OVERLAP_SECONDS = 10;
const ORDER = { ts: 1, _id: 1 } as const;

/** Follows a server without change streams by the time that it stamps on every document. */
export class PollTail implements Tail {
  readonly kind = 'poll';
  readonly lagMs = POLL_MS;
  readonly pauseMs = POLL_MS;
  readonly #link: Link;
  readonly #context: StoreContext;
  readonly #checkIdentity: () => Promise<void>;
  /** The newest stamp when it was last looked: everything above it, and a little below, is read next. */
  #since: Timestamp;

  /** Takes its place in time: what is written from now on is not missed. */
  static async begin(link: Link, context: StoreContext, checkIdentity: () => Promise<void>): Promise<PollTail> {
    return new PollTail(link, context, checkIdentity, (await newestStamp(link)) ?? new Timestamp(0n));
  }

  private constructor(link: Link, context: StoreContext, checkIdentity: () => Promise<void>, since: Timestamp) {
    this.#link = link;
    this.#context = context;
    this.#checkIdentity = checkIdentity;
    this.#since = since;
  }

  async catchUp(): Promise<void> {
    await this.#checkIdentity();
    const newest = await newestStamp(this.#link);
    const since = new Timestamp({ t: Math.max(0, this.#since.getHighBits() - OVERLAP_SECONDS), i: 0 });
    const documents = this.#link.collection
      .find({ ts: { $gte: since }, by: { $ne: this.#link.instance } }, { ...CALL, batchSize: 1000 })
      .sort(ORDER)
      .hint(ORDER);
    for await (const document of documents) take(document, this.#context);
    if (newest) this.#since = newest;
  }

  reach(): Promise<void> {
    return this.catchUp();
  }

  async failed(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}
}

async function newestStamp({ collection }: Link): Promise<Timestamp | undefined> {
  const options = { ...CALL, sort: { ts: -1 }, projection: { ts: 1 } } as const;
  const newest = await collection.findOne({ ts: { $gt: new Timestamp(0n) } }, options);
  return newest?.ts;
}
