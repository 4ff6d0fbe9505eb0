import type { AnyBulkWriteOperation } from 'mongodb';
import pTimeout from 'p-timeout';
import { type KbDocument, toDocument } from './mongo-document.js';
import { DUPLICATE, outcomeOf } from './mongo-errors.js';
import { CALL, type Link } from './mongo-link.js';
import type { StoreContext, StoreWrite, WriteOutcome } from './store.js';

/** Documents in one bulk. 64 take 3.5 ms (measured); several bulks may be under way. */
const MOST_IN_BULK = 128;

/** The reason of our own abort, so that it is told from the driver's errors. */
class Overdue extends Error {
  override readonly name = 'Overdue';
}

interface Waiting {
  readonly write: StoreWrite;
  readonly timeoutMs: number;
  resolve(outcome: WriteOutcome): void;
}

/** Commits the writes of one tick as one bulk: many times the rate of one by one, at no cost in latency. */
export function committer(
  link: Link,
  context: StoreContext,
): (write: StoreWrite, timeoutMs: number) => Promise<WriteOutcome> {
  let waiting: Waiting[] = [];

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += MOST_IN_BULK) void commit(link, context, all.slice(at, at + MOST_IN_BULK));
  };
  return (write, timeoutMs) =>
    new Promise((resolve) => {
      waiting.push({ write, timeoutMs, resolve });
      if (waiting.length === 1) setImmediate(flush);
    });
}

async function commit(link: Link, context: StoreContext, batch: readonly Waiting[]): Promise<void> {
  const began = context.clock.monotonic();
  const timeoutMs = Math.min(...batch.map((each) => each.timeoutMs));
  let outcomes: readonly WriteOutcome[];
  if (link.lost) {
    outcomes = batch.map(() => ({ status: 'failed', cause: link.lost }));
  } else if (!(await link.writable(timeoutMs))) {
    const cause = new Error('MongoDB has had no reachable primary; nothing was sent');
    outcomes = batch.map(() => ({ status: 'failed', cause }));
  } else {
    const left = Math.max(1, timeoutMs - (context.clock.monotonic() - began));
    outcomes = await send(
      link,
      context,
      batch.map((each) => each.write),
      left,
    );
    // A server that accepts and never answers is away too, and the driver notices that much later.
    const silent = outcomes.find((outcome) => outcome.status === 'unknown' && outcome.cause instanceof Overdue);
    if (silent?.status === 'unknown') context.health({ state: 'degraded', lagMs: null, cause: silent.cause as Error });
  }
  batch.forEach(({ write, resolve }, at) => {
    const outcome = outcomes[at]!;
    if (outcome.status === 'ok') context.apply(write.row);
    resolve(outcome);
  });
}

async function send(
  { collection, instance }: Link,
  context: StoreContext,
  writes: readonly StoreWrite[],
  timeoutMs: number,
): Promise<readonly WriteOutcome[]> {
  const controller = new AbortController();
  const overdue = new Overdue(`no answer from MongoDB within ${Math.round(timeoutMs)} ms`);
  const cancel = context.clock.schedule(timeoutMs, () => controller.abort(overdue), { ref: true });
  // The types name `signal` for reads only; the driver honours it on writes too, which tests pin.
  const options = { ...CALL, maxTimeMS: Math.ceil(timeoutMs), signal: controller.signal };
  // Should a version of the driver not honour it, this ends the wait a little later.
  const inTime = <T>(call: Promise<T>): Promise<T> =>
    pTimeout(call, { milliseconds: timeoutMs + 100, message: overdue });
  try {
    if (writes.length > 1) {
      const bulk = collection.bulkWrite(
        writes.map((write) => operationOf(write, instance)),
        { ...options, ordered: false },
      );
      const { insertedCount, matchedCount, upsertedCount } = await inTime(bulk);
      const written = insertedCount + matchedCount + upsertedCount;
      const all = written === writes.length;
      const cause = all ? undefined : new Error(`MongoDB acknowledged ${written} of ${writes.length} writes`);
      return writes.map(() => (all ? { status: 'ok' } : unknown(cause)));
    }
    const [{ row, base }] = writes as [StoreWrite];
    const document = toDocument(row, instance);
    if (base === undefined) {
      await inTime(collection.insertOne(document, options));
      return [{ status: 'ok' }];
    }
    const { matchedCount } = await inTime(collection.replaceOne({ _id: row.id, rev: base }, document, options));
    return [{ status: matchedCount === 1 ? 'ok' : 'conflict' }];
  } catch (error) {
    return outcomesOf(error, writes.length);
  } finally {
    cancel();
  }
}

/** With `upsert` a stale base becomes a duplicate key with its index; without it a bulk does not tell which one missed. */
function operationOf({ row, base }: StoreWrite, instance: string): AnyBulkWriteOperation<KbDocument> {
  const document = toDocument(row, instance);
  if (base === undefined) return { insertOne: { document } };
  return { replaceOne: { filter: { _id: row.id, rev: base }, replacement: document, upsert: true } };
}

interface BulkError {
  writeErrors?: { index: number; code?: number }[] | { index: number; code?: number };
  result?: { getWriteConcernError?(): unknown };
}

/**
 * What an error says about each of `count` writes. A bulk error with no error of a single write is the driver's wrapping of
 * whatever ended the command, a cut connection among them: it says nothing good about any write.
 */
export function outcomesOf(error: unknown, count: number): readonly WriteOutcome[] {
  const { writeErrors = [], result } = error as BulkError;
  const single = Array.isArray(writeErrors) ? writeErrors : [writeErrors];
  const outcome = outcomeOf(error);
  if (count === 1) return [outcome];
  // A duplicate belongs to one write of a bulk; without its index it can't be told which.
  const shared = outcome.status === 'conflict' ? unknown(error) : outcome;
  if (single.length === 0) return Array.from({ length: count }, () => shared);
  // Only conflicts leave the others as they should be; after anything else the server may not have come to them.
  const unsafe = result?.getWriteConcernError?.() ?? single.find(({ code }) => code !== DUPLICATE);
  const outcomes = Array.from({ length: count }, (): WriteOutcome => (unsafe ? unknown(unsafe) : { status: 'ok' }));
  for (const each of single) outcomes[each.index] = outcomeOf(each);
  return outcomes;
}

function unknown(cause: unknown): WriteOutcome {
  return { status: 'unknown', cause };
}
