import type { Collection, Document, MongoClient } from 'mongodb';
import { DeliveryError } from './errors.js';
import type { AlertDocument } from './mongo-document.js';
import { MongoOutbox } from './mongo-outbox.js';
import { OPERATION_MS, withoutPassword } from './mongo-place.js';
import { COUNTS_INDEX } from './mongo-purge.js';
import type { DeliveryStore, StoreContext, StoreDriver } from './store.js';

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
      // Covers the counts and their bytes, too.
      { key: { s: 1, endedAt: 1, bytes: 1 }, name: COUNTS_INDEX },
      { key: { key: 1, endedAt: -1 }, partialFilterExpression: { key: { $exists: true } } },
      { key: { at: -1 } },
    ]);
    const store = new MongoOutbox({ alerts, meta }, own, leaseMs, context);
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
