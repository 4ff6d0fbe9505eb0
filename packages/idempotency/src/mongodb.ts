import type { Collection, MongoClient } from 'mongodb';
import { IdempotencyError, refuseOption } from './errors.js';
import { type KeyDocument, MongoPart } from './mongo-part.js';
import type { OpenStore, Store, StoreContext } from './store.js';

/** Where the keys live: a connection string, a client of yours (never closed), or a collection of yours. */
export type MongoStoreOptions =
  | { uri: string; client?: undefined; dbName?: string | undefined; collection?: undefined }
  | { client: MongoClient; dbName: string; uri?: undefined; collection?: undefined }
  | { collection: Collection<never> | Collection; uri?: undefined; client?: undefined; dbName?: undefined };

/** The collection, where none is given. */
const COLLECTION = 'idempotency';
const INDEX_OPTIONS_CONFLICT = 85;

/**
 * A store in MongoDB, shared by any number of processes and machines: a claim, lanes included, is one atomic operation, and only
 * the server's clock counts. Majority and journal on every write. An expired key is free whether or not the TTL index has
 * swept it.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`; what fails later is `IDEMPOTENCY_STORE_FAILED`, without the password.
 */
export function mongoStore(options: MongoStoreOptions): Store {
  const { uri, client, collection } = options ?? {};
  if ([uri, client, collection].filter((each) => each !== undefined).length !== 1)
    refuseOption('mongoStore', 'takes one of uri, client and collection', Object.keys(options ?? {}));
  return { name: 'mongodb', open: (context) => open(options, context) };
}

async function open(options: MongoStoreOptions, { namespace, storeTimeoutMs }: StoreContext): Promise<OpenStore> {
  let own: MongoClient | undefined;
  try {
    let keys = options.collection as unknown as Collection<KeyDocument> | undefined;
    if (!keys) {
      let { client } = options;
      if (options.uri !== undefined) {
        const { MongoClient: Client } = await import('mongodb');
        const limits = { serverSelectionTimeoutMS: storeTimeoutMs, connectTimeoutMS: storeTimeoutMs };
        client = own = new Client(options.uri, { ...limits, socketTimeoutMS: 3 * storeTimeoutMs });
        await own.connect();
      }
      keys = client!.db(options.dbName).collection<KeyDocument>(COLLECTION);
    }
    await sweepAtExpiry(keys);
    return new MongoPart(keys, `${namespace.length}:${namespace}`, own);
  } catch (error) {
    await own?.close().catch(() => undefined); // the first error is the one to tell
    const reason = withoutPassword(error instanceof Error ? error.message : String(error));
    throw new IdempotencyError('IDEMPOTENCY_STORE_FAILED', `MongoDB can't be used for idempotency: ${reason}`, {
      operation: 'open',
    });
  }
}

/**
 * The TTL index, for sweeping only. It also is a real write: a ping succeeds for a user who may not write here. One with
 * another time, which would sweep results that still count, is set right.
 */
async function sweepAtExpiry(keys: Collection<KeyDocument>): Promise<void> {
  const create = (): Promise<string> => keys.createIndex({ exp: 1 }, { expireAfterSeconds: 0 });
  try {
    await create();
  } catch (error) {
    if ((error as { code?: unknown }).code !== INDEX_OPTIONS_CONFLICT) throw error;
    await keys.dropIndex({ exp: 1 } as never).catch(() => undefined); // another process may have been faster
    await create();
  }
}

function withoutPassword(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)[^@/\s]*@/gi, '$1');
}
