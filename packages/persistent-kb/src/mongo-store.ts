import { BSON, type Collection, MongoClient } from 'mongodb';
import { messageOf } from './errors.js';
import { committer } from './mongo-commit.js';
import { compareAll, readRow, scanAll, take } from './mongo-compare.js';
import { type KbDocument, toDocument } from './mongo-document.js';
import { ADVICE, startKindOf } from './mongo-errors.js';
import { pinIdentity } from './mongo-identity.js';
import { CALL, follow, type Link } from './mongo-link.js';
import { PollTail } from './mongo-poll.js';
import { StreamTail } from './mongo-stream.js';
import { followChanges, type Tail } from './mongo-tail.js';
import { startError } from './open-kb.js';
import { bad } from './options.js';
import type { KbStore, OpenStore, StoreContext } from './store.js';

/** Where the entries are: a connection string, a client with a database's name, or a collection. */
export type MongoStoreOptions =
  /** Uses the database that the URI names. The store makes the client and closes it. */
  | { uri: string; collectionName?: string | undefined }
  /** The client stays the caller's, and is never closed. */
  | { client: MongoClient; dbName: string; collectionName?: string | undefined }
  // biome-ignore lint/suspicious/noExplicitAny: whatever the caller calls its documents, ours are put in
  | { collection: Collection<any> };

const DEFAULT_COLLECTION = 'knowledge_base';
/** The server's limit is 16 MiB a document; this much is never reached. */
const MAX_DOCUMENT_BYTES = 16_000_000;
/** BSON takes at most this many times the bytes of JSON, for long arrays of small numbers: below, nothing is measured. */
const MEASURE_ABOVE_CHARS = 1_000_000;

/**
 * Keeps the knowledge base in MongoDB, one document an entry in the collection `knowledge_base`, shared by any number of
 * instances.
 *
 * Guarantees: a write is acknowledged by a majority, journaled; writes of other instances arrive through a change stream,
 * or within about a second by polling where there is none (standalone); no transactions, no replica set needed. Does not
 * guarantee that an instance sees another's write at once.
 */
export function mongoStore(options: MongoStoreOptions): KbStore {
  if (typeof options !== 'object' || options === null) throw bad('mongoStore', 'get an object', options);
  if ('uri' in options && typeof options.uri !== 'string') throw bad('uri', 'be a connection string', options.uri);
  if ('client' in options && (typeof options.dbName !== 'string' || options.dbName === '')) {
    throw bad('dbName', "be the database's name", options.dbName);
  }
  if (!('uri' in options || 'client' in options || 'collection' in options)) {
    throw bad('mongoStore', 'get { uri }, { client, dbName } or { collection }', options);
  }
  const name = nameOf(options);
  return { name, open: (context) => openMongo(options, name, context) };
}

function nameOf(options: MongoStoreOptions): string {
  if ('uri' in options) return `MongoDB at ${hostsOf(options.uri)}`;
  return `MongoDB ${'client' in options ? options.dbName : `collection ${options.collection.namespace}`}`;
}

/** The hosts of a connection string, and nothing else of it. */
function hostsOf(uri: string): string {
  const [, rest = ''] = uri.split('://', 2);
  const authority = rest.split(/[/?]/, 1)[0]!;
  // A password with a raw slash ends the authority early: without an @ in it, what is left could be part of a secret.
  if (!authority.includes('@') && rest.includes('@')) return 'a malformed address';
  return authority.slice(authority.lastIndexOf('@') + 1) || 'an empty address';
}

async function openMongo(options: MongoStoreOptions, name: string, context: StoreContext): Promise<OpenStore> {
  let client: MongoClient | undefined;
  let link: Link | undefined;
  let tail: Tail | undefined;
  try {
    client = 'uri' in options ? newClient(options.uri, context.startTimeoutMs) : undefined;
    const collection = collectionOf(options, client);
    context.signal.addEventListener('abort', () => void client?.close().catch(() => {}), { once: true });
    await client?.connect();
    const { setName, msg } = await collection.db.admin().command({ hello: 1 });
    const replicated = setName !== undefined || msg === 'isdbgrid';
    link = follow(collection.db.client, collection, replicated, context);
    await collection.createIndexes([{ key: { ts: 1, _id: 1 } }, { key: { purgeAt: 1 }, expireAfterSeconds: 0 }], CALL);
    const checkIdentity = await pinIdentity(collection);
    // Before the scan, so that what is written behind its back is heard of afterwards: no gap.
    tail = (await StreamTail.begin(link, context)) ?? (await PollTail.begin(link, context, checkIdentity));
    await load(link, context);
    await tail.reach();
    context.signal.throwIfAborted();
    context.health({ tail: tail.kind, lagMs: tail.lagMs, state: 'ready' });
    return opened({ link, client, tail, checkIdentity }, context);
  } catch (error) {
    link?.stop();
    await tail?.close();
    await client?.close().catch(() => {});
    throw refusal(error, name, options);
  }
}

function newClient(uri: string, startTimeoutMs: number): MongoClient {
  // The driver's own verdict names the cause, so it must come before openKb's timer.
  const within = Math.max(1, startTimeoutMs - Math.min(250, startTimeoutMs / 4));
  return new MongoClient(uri, {
    appName: 'holdfast-persistent-kb',
    serverSelectionTimeoutMS: Math.min(within, 30_000),
    // Without it a silent server keeps the process alive for half a minute, even after close() (measured).
    connectTimeoutMS: Math.min(within, 10_000),
    retryWrites: true,
  });
}

function collectionOf(options: MongoStoreOptions, client: MongoClient | undefined): Collection<KbDocument> {
  if ('collection' in options) return options.collection;
  const database = 'client' in options ? options.client.db(options.dbName) : client!.db();
  return database.collection<KbDocument>(options.collectionName ?? DEFAULT_COLLECTION);
}

async function load(link: Link, context: StoreContext): Promise<void> {
  const total = await link.collection.estimatedDocumentCount();
  let loaded = 0;
  const step = (): void => context.progress({ loaded, total: Math.max(total, loaded), unit: 'entries' });
  step();
  await scanAll(link, context, context.signal, (document) => {
    take(document, context);
    loaded++;
    step();
  });
}

interface Opened {
  readonly link: Link;
  readonly client: MongoClient | undefined;
  readonly tail: Tail;
  readonly checkIdentity: () => Promise<void>;
}

function opened({ link, client, tail, checkIdentity }: Opened, context: StoreContext): OpenStore {
  const stop = new AbortController();
  const following = followChanges(tail, link, context, checkIdentity, stop.signal);
  const commit = committer(link, context);
  return {
    commit: (write, { timeoutMs }) => commit(write, timeoutMs),
    read: (id, { timeoutMs }) => readRow(link, context, id, timeoutMs),
    oversize(row) {
      if (!row.entry || JSON.stringify(row.entry).length < MEASURE_ABOVE_CHARS) return undefined;
      const bytes = BSON.calculateObjectSize(toDocument(row, link.instance));
      return bytes > MAX_DOCUMENT_BYTES ? { bytes, maxBytes: MAX_DOCUMENT_BYTES } : undefined;
    },
    compare: (options) => compareAll(link, context, options),
    async close() {
      stop.abort();
      await following;
      link.stop();
      await client?.close();
    },
  };
}

function refusal(error: unknown, name: string, options: MongoStoreOptions): unknown {
  if ((error as { code?: unknown }).code === 'KB_START') return error;
  const kind = startKindOf(error);
  const secret = 'uri' in options ? secretsOf(options.uri) : [];
  const told = messageOf(error);
  const safe = !secret.some((each) => told.includes(each) || String((error as Error).stack).includes(each));
  const why = [ADVICE[kind], safe ? `(${told})` : ''].filter(Boolean).join(' ');
  return startError(kind, name, safe ? Object.assign(new Error(why, { cause: error })) : why);
}

/** What must not appear in a message: the password, as written and as meant. */
function secretsOf(uri: string): string[] {
  const [, password] = /:\/\/[^:@]*:([^@]*)@/.exec(uri) ?? [];
  if (!password) return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
