import { randomInt, randomUUID } from 'node:crypto';
import type { Collection, Document, MongoClient } from 'mongodb';
import type { StoredAlert } from './alert.js';
import { DeliveryError } from './errors.js';
import { type AlertRecord, isEnd, type LifeEvent, outcomeOf } from './life.js';
import { type AlertDocument, packed, rankOf, recordFrom } from './mongo-document.js';
import { countsOf, purge, type Totals } from './mongo-purge.js';
import type {
  ChannelCondition,
  Counts,
  DeadFilter,
  DeliveryStore,
  Hold,
  RecentEntry,
  StoreContext,
  StoreDriver,
  Work,
} from './store.js';

/** Where the alerts live: a connection string, a client of yours (never closed), or a collection of yours. */
export type MongoStoreOptions = (
  | { uri: string; client?: undefined; collection?: undefined; dbName?: string | undefined }
  | { client: MongoClient; dbName: string; uri?: undefined; collection?: undefined }
  | { collection: Collection<never> | Collection; uri?: undefined; client?: undefined; dbName?: undefined }
) & {
  /** @defaultValue `'alert_delivery'`; `<name>_meta` stands beside it. */
  collectionName?: string | undefined;
  /** How long a held alert is nobody else's after its holder was last heard of, milliseconds. @defaultValue 30000 */
  leaseMs?: number | undefined;
};

/** Majority, and journaled: `j` unset or false makes a majority write 100 times slower (research, measured). */
const WRITE = { writeConcern: { w: 'majority' as const, journal: true } };
const READ = { readConcern: { level: 'majority' as const } };
/** Longer than an unplanned failover with a 2 s election; an alert must not wait much longer to be sent unstored. */
const OPERATION_MS = 10_000;
const MAX_LOG = 500;
const literal = (value: unknown): Document => ({ $literal: value });

/**
 * Keeps alerts in MongoDB, shared by any number of instances: each alert is leased to one, and when that one dies any
 * other finishes its work. Guarantees: majority and journal before anything is acknowledged; a stale holder can't write.
 * Does not guarantee that a message in flight at a crash is sent once only: it is marked as a possible repeat.
 */
export function mongoStore(options: MongoStoreOptions): StoreDriver {
  const given = [options?.uri, options?.client, options?.collection].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new DeliveryError('DELIVERY_INVALID_OPTION', 'mongoStore takes one of uri, client and collection');
  const { leaseMs = 30_000 } = options;
  if (!(leaseMs >= 1000 && leaseMs <= 2 ** 31 - 1)) {
    throw new DeliveryError(
      'DELIVERY_INVALID_OPTION',
      `leaseMs must be a number from 1000 to 2147483647, got ${String(leaseMs)}`,
    );
  }
  return { kind: 'mongodb', open: (context) => openMongo(options, leaseMs, context) };
}

async function openMongo(options: MongoStoreOptions, leaseMs: number, context: StoreContext): Promise<DeliveryStore> {
  const name = options.collectionName ?? 'alert_delivery';
  let own: MongoClient | undefined;
  try {
    let alerts: Collection<AlertDocument>;
    let meta: Collection<Document & { _id: string }>;
    if (options.collection) {
      alerts = options.collection as unknown as Collection<AlertDocument>;
      throwIfForeign(alerts);
      meta = (options.collection as unknown as { db: { collection(name: string): typeof meta } }).db.collection(
        `${alerts.collectionName}_meta`,
      );
    } else {
      let client = options.client;
      if (options.uri !== undefined) {
        const { MongoClient: Client } = await import('mongodb');
        const selectMs = Math.min(context.startTimeoutMs, 5000);
        client = own = new Client(options.uri, {
          serverSelectionTimeoutMS: selectMs,
          connectTimeoutMS: selectMs,
          socketTimeoutMS: 2 * OPERATION_MS,
        });
        await own.connect();
      }
      const db = client!.db(options.dbName);
      alerts = db.collection<AlertDocument>(name);
      meta = db.collection<Document & { _id: string }>(`${name}_meta`);
    }
    // A real write: a ping succeeds for a user who may not write here.
    await alerts.createIndexes([
      { key: { due: 1 }, partialFilterExpression: { s: 'open' } },
      { key: { s: 1, endedAt: 1 } },
      { key: { key: 1, endedAt: -1 }, partialFilterExpression: { key: { $exists: true } } },
      { key: { at: -1 } },
    ]);
    const store = new MongoStore(alerts, meta, own, leaseMs, context);
    await store.begin();
    return store;
  } catch (error) {
    await own?.close().catch(() => undefined);
    throw refusal(options, error);
  }
}

function throwIfForeign(collection: Collection<AlertDocument>): void {
  if (typeof collection?.findOneAndUpdate !== 'function')
    throw new DeliveryError(
      'DELIVERY_INVALID_OPTION',
      'mongoStore: collection must be a collection of the mongodb driver',
    );
}

function refusal(options: MongoStoreOptions, error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error;
  const code = (error as { code?: unknown }).code;
  const kind =
    code === 18 || code === 13 ? 'auth' : (error as Error).name === 'MongoParseError' ? 'unusable' : 'unreachable';
  const place = options.uri === undefined ? 'the database' : `the database at ${withoutPassword(options.uri)}`;
  const reason = withoutPassword(error instanceof Error ? error.message : String(error));
  return new DeliveryError('DELIVERY_STORE_FAILED', `${place} can not be used: ${reason}`, {
    kind,
    cause: new Error(reason),
  });
}

function withoutPassword(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)[^@/\s]*@/gi, '$1');
}

class MongoStore implements DeliveryStore {
  readonly shared = true;
  readonly dir = undefined;
  readonly failure = undefined;
  found = { pending: 0, tornBytes: 0, quarantinedBytes: 0 };
  #alerts: Collection<AlertDocument>;
  #meta: Collection<Document & { _id: string }>;
  #own: MongoClient | undefined;
  #leaseMs: number;
  #context: StoreContext;
  #counts: Counts = { accepted: 0, delivered: 0, coalesced: 0, dead: 0, pending: 0, evicted: 0 };
  #conditions: ChannelCondition[] = [];
  #renewedAt = 0;

  constructor(
    alerts: Collection<AlertDocument>,
    meta: Collection<Document & { _id: string }>,
    own: MongoClient | undefined,
    leaseMs: number,
    context: StoreContext,
  ) {
    this.#alerts = alerts;
    this.#meta = meta;
    this.#own = own;
    this.#leaseMs = leaseMs;
    this.#context = context;
  }

  async begin(): Promise<void> {
    await this.refresh();
    this.found = { ...this.found, pending: this.#counts.pending };
    const stored = await this.#bounded(this.#meta.find({ kind: 'channel' }).toArray());
    this.#conditions = stored.map((each) => ({
      channel: each.channel,
      throttledUntil: each.throttledUntil,
      openUntil: each.openUntil,
      openMs: each.openMs,
    }));
  }

  async accept(
    alert: StoredAlert,
    at: number,
    { held }: { held: boolean },
  ): Promise<{ duplicate: boolean; work?: Work }> {
    const { id } = alert;
    const body = packed(alert);
    if (body === undefined) {
      throw new DeliveryError(
        'DELIVERY_INVALID_ALERT',
        `alert '${id}' is too large for a document of the database, even compressed`,
        { path: 'data' },
      );
    }
    const tok = randomUUID();
    const fresh = {
      _id: literal(id),
      s: 'open',
      op: tok,
      att: held ? 1 : 0,
      at,
      title: literal(alert.title.slice(0, 120)),
      sev: alert.severity,
      rank: literal(rankOf(alert.severity)),
      alert: literal(body),
      log: literal([]),
      due: held ? this.#lease() : '$$NOW',
      ...(held && { tok, by: this.#context.run }),
      ...(alert.status && { st: alert.status }),
      ...(alert.dedupKey !== undefined && { key: literal(alert.dedupKey) }),
    };
    const isNew = { $eq: [{ $type: '$s' }, 'missing'] };
    let duplicate: boolean;
    try {
      const result = await this.#bounded(
        this.#alerts.updateOne({ _id: id }, [{ $replaceWith: { $cond: [isNew, fresh, '$$ROOT'] } }], {
          upsert: true,
          ...WRITE,
        }),
      );
      duplicate = result.upsertedCount === 0;
    } catch (error) {
      // No server was found, so nothing was sent: there is nothing to read back, and the alert should not wait for it.
      if ((error as Error).name === 'MongoServerSelectionError') throw storeFailed(error);
      const stored = await this.#bounded(this.#alerts.findOne({ _id: id }, { projection: { op: 1 }, ...READ })).catch(
        () => undefined,
      );
      if (!stored) throw storeFailed(error);
      duplicate = stored.op !== tok;
    }
    if (duplicate) return { duplicate };
    this.#counts.accepted++;
    this.#counts.pending++;
    return held
      ? { duplicate, work: { hold: { id, token: tok }, record: { id, acceptedAt: at, alert, events: [] } } }
      : { duplicate };
  }

  async claim(limit: number): Promise<Work[]> {
    const due = { s: 'open' as const, $expr: { $lte: ['$due', '$$NOW'] } };
    const seen = await this.#bounded(
      this.#alerts
        .find(due, { projection: { _id: 1 } })
        .sort({ due: 1 })
        .limit(512)
        .toArray(),
    );
    if (seen.length === 0) return [];
    // A random slice of a shared window: instances that all take the oldest only meet each other (measured: 1 conflict instead of 9,523).
    const from = seen.length <= limit ? 0 : randomInt(seen.length - limit + 1);
    const ids = seen.slice(from, from + limit).map((document) => document._id);
    const tok = randomUUID();
    const recovered = JSON.stringify({
      type: 'recovered',
      at: this.#context.clock.now(),
      run: this.#context.run,
    } satisfies LifeEvent);
    const take = [
      {
        $set: {
          due: this.#lease(),
          tok,
          by: this.#context.run,
          att: { $add: ['$att', 1] },
          log: { $cond: [{ $gt: ['$att', 0] }, { $concatArrays: ['$log', literal([recovered])] }, '$log'] },
        },
      },
    ];
    // Not retryable: after an error the read says what was taken, and what the read misses falls due again.
    await this.#bounded(this.#alerts.updateMany({ _id: { $in: ids }, ...due }, take, WRITE)).catch(() => undefined);
    const taken = await this.#bounded(
      this.#alerts
        .find({ _id: { $in: ids }, tok }, READ)
        .sort({ at: 1 })
        .toArray(),
    );
    return taken.map((document) => ({ hold: { id: document._id, token: tok }, record: recordFrom(document) }));
  }

  async record(holds: readonly Hold[], events: readonly LifeEvent[]): Promise<readonly string[]> {
    const ids = holds.map((hold) => hold.id);
    const op = randomUUID();
    const end = events.find(isEnd);
    const log = {
      $slice: [{ $concatArrays: ['$log', literal(events.map((event) => JSON.stringify(event)))] }, -MAX_LOG],
    };
    const set: Document = { op, log, ...(end ? endFields(end) : { due: this.#lease() }) };
    const pipe: Document[] = [{ $set: set }, ...(end ? [{ $unset: ['due', 'tok', 'by'] }] : [])];
    const mine = { _id: { $in: ids }, tok: { $in: [...new Set(holds.map((hold) => hold.token))] }, s: 'open' as const };
    let written = ids;
    try {
      const only = ids.length === 1 ? { ...mine, _id: ids[0]! } : mine;
      const result = await this.#bounded(
        ids.length === 1 ? this.#alerts.updateOne(only, pipe, WRITE) : this.#alerts.updateMany(mine, pipe, WRITE),
      );
      if (result.matchedCount < ids.length) written = await this.#withOp(ids, op);
    } catch (error) {
      written = await this.#withOp(ids, op).catch(() => []);
      if (written.length === 0) throw storeFailed(error);
    }
    if (end) {
      this.#counts.pending -= written.length;
      this.#counts[end.type] += written.length;
    }
    if (written.length === ids.length) return [];
    const ours = new Set(written);
    return ids.filter((id) => !ours.has(id));
  }

  async renew(holds: readonly Hold[]): Promise<readonly string[]> {
    const now = this.#context.clock.monotonic();
    if (holds.length === 0 || now - this.#renewedAt < this.#leaseMs / 3) return [];
    this.#renewedAt = now;
    const ids = holds.map((hold) => hold.id);
    const mine = { _id: { $in: ids }, tok: { $in: [...new Set(holds.map((hold) => hold.token))] }, s: 'open' as const };
    await this.#bounded(this.#alerts.updateMany(mine, [{ $set: { due: this.#lease() } }], WRITE));
    // Whoever lost one hears of it at the next write, which is refused.
    return [];
  }

  async release(holds: readonly Hold[]): Promise<void> {
    if (holds.length === 0) return;
    const mine = {
      _id: { $in: holds.map((hold) => hold.id) },
      tok: { $in: [...new Set(holds.map((hold) => hold.token))] },
      s: 'open' as const,
    };
    await this.#bounded(this.#alerts.updateMany(mine, [{ $set: { due: '$$NOW' } }, { $unset: ['tok', 'by'] }], WRITE));
  }

  async revive(
    id: string,
    event: Extract<LifeEvent, { type: 'replayed' }>,
    { held }: { held: boolean },
  ): Promise<Work | undefined> {
    const tok = randomUUID();
    const set: Document = {
      s: 'open',
      op: tok,
      att: held ? 1 : 0,
      log: { $concatArrays: ['$log', literal([JSON.stringify(event)])] },
      due: held ? this.#lease() : '$$NOW',
      ...(held && { tok, by: this.#context.run }),
    };
    const document = await this.#bounded(
      this.#alerts.findOneAndUpdate({ _id: id, s: 'dead' }, [{ $set: set }, { $unset: ['endedAt', 'reason'] }], {
        returnDocument: 'after',
        ...WRITE,
      }),
    );
    if (!document) return undefined;
    this.#counts.dead--;
    this.#counts.pending++;
    return { hold: { id, token: held ? tok : '' }, record: recordFrom(document) };
  }

  async find(id: string): Promise<AlertRecord | undefined> {
    const document = await this.#bounded(this.#alerts.findOne({ _id: id }, READ));
    return document ? recordFrom(document) : undefined;
  }

  async *dead(filter: DeadFilter): AsyncIterable<AlertRecord & { readonly alert: StoredAlert }> {
    const { ids, severity, reason, since, until, limit } = filter;
    const ended = { ...(since !== undefined && { $gte: since }), ...(until !== undefined && { $lte: until }) };
    const query: Document = {
      s: 'dead',
      ...(ids && { _id: { $in: [...ids] } }),
      ...(reason !== undefined && { reason }),
      ...(severity !== undefined && { sev: typeof severity === 'string' ? severity : { $in: [...severity] } }),
      ...(Object.keys(ended).length > 0 && { endedAt: ended }),
    };
    for await (const document of this.#alerts
      .find(query, READ)
      .sort({ endedAt: 1 })
      .limit(limit ?? 0))
      yield recordFrom(document);
  }

  async *recent(limit: number): AsyncIterable<RecentEntry> {
    if (limit <= 0) return;
    const fields = { at: 1, title: 1, sev: 1, s: 1, endedAt: 1, log: 1 };
    for await (const document of this.#alerts
      .find({}, { projection: fields, ...READ })
      .sort({ at: -1 })
      .limit(limit)) {
      const { _id: id, at, title, sev, s, endedAt, log } = document;
      const outcome = outcomeOf(
        id,
        log.map((line) => JSON.parse(line) as LifeEvent),
      );
      yield {
        id,
        acceptedAt: at,
        title,
        severity: sev,
        status: s === 'open' ? 'pending' : s,
        ...(endedAt !== undefined && { endedAt }),
        ...(outcome && { outcome }),
      };
    }
  }

  async firingChannel(dedupKey: string): Promise<string | undefined> {
    const last = await this.#bounded(
      this.#alerts.findOne(
        { key: dedupKey, s: { $in: ['delivered', 'coalesced'] } },
        { sort: { endedAt: -1 }, projection: { st: 1, chan: 1 }, ...READ },
      ),
    );
    return last && last.st !== 'resolved' ? last.chan : undefined;
  }

  counts(): Counts {
    return { ...this.#counts };
  }

  async refresh(): Promise<void> {
    const { history, deadLetters, clock, onEvent } = this.#context;
    const bounds = { history, deadLetters, nowMs: clock.now(), onEvent };
    await this.#bounded(purge(this.#alerts, this.#meta as unknown as Collection<Totals>, bounds));
    this.#counts = await this.#bounded(countsOf(this.#alerts, this.#meta as unknown as Collection<Totals>));
  }

  conditions(): readonly ChannelCondition[] {
    return this.#conditions;
  }

  async saveCondition(condition: ChannelCondition): Promise<void> {
    await this.#bounded(
      this.#meta.updateOne(
        { _id: `channel:${condition.channel}` },
        { $set: { kind: 'channel', ...condition } },
        { upsert: true, ...WRITE },
      ),
    );
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  #lease(): Document {
    return { $add: ['$$NOW', this.#leaseMs] };
  }

  async #withOp(ids: string[], op: string): Promise<string[]> {
    const found = await this.#bounded(
      this.#alerts.find({ _id: { $in: ids }, op }, { projection: { _id: 1 }, ...READ }).toArray(),
    );
    return found.map((document) => document._id);
  }

  /** The driver has no limit of its own that ends a stalled call. What comes later is settled by reading back. */
  async #bounded<T>(operation: Promise<T>): Promise<T> {
    let cancel: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#context.clock.schedule(
        OPERATION_MS,
        () => reject(new Error(`the database did not answer within ${OPERATION_MS} ms`)),
        { ref: true },
      );
    });
    operation.catch(() => undefined);
    try {
      return await Promise.race([operation, late]);
    } finally {
      cancel?.();
    }
  }
}

function endFields(end: Extract<LifeEvent, { type: 'delivered' | 'coalesced' | 'dead' }>): Document {
  const base = { s: end.type, endedAt: end.at };
  if (end.type === 'dead') return { ...base, reason: end.reason };
  return {
    ...base,
    ...(end.channel !== undefined && { chan: literal(end.channel) }),
    ...(end.type === 'coalesced' && { into: literal(end.into) }),
  };
}

function storeFailed(error: unknown): DeliveryError {
  const reason = withoutPassword(error instanceof Error ? error.message : String(error));
  return new DeliveryError('DELIVERY_STORE_FAILED', `the database did not take a write: ${reason}`, {
    kind: 'write',
    cause: new Error(reason),
  });
}
