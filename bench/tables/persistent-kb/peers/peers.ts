import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Entry, fileStore, openKb } from '@holdfast/persistent-kb';
import { ClassicLevel } from 'classic-level';
import { open as openLmdb } from 'lmdb';
import { JSONFilePreset } from 'lowdb/node';

/** A place that takes entries, opened as its README says for durable writes, as far as it has them. */
export interface Opened {
  /** Resolves when the peer says that the entry is stored. */
  put(entry: Entry): Promise<unknown>;
  /** Takes many at once, the quickest way that it has. */
  fill(entries: readonly Entry[]): Promise<unknown>;
  /** Every entry by id, as a service that answers from memory would load them at its start. */
  all(): Promise<ReadonlyMap<string, Entry>>;
  close(): Promise<void>;
}

export interface Peer {
  readonly who: string;
  readonly kind: 'ours' | 'peer';
  /** Its puts cost so much that fewer are made. */
  readonly slow?: boolean;
  open(dir: string): Promise<Opened>;
}

const holdfast: Peer = {
  who: 'holdfast Kb.put',
  kind: 'ours',
  async open(dir) {
    const kb = await openKb({ store: fileStore({ dir: join(dir, 'holdfast') }) });
    return {
      put: (entry) => kb.put(entry),
      fill: (entries) => Promise.all(entries.map((entry) => kb.put(entry))),
      async all() {
        const found = new Map<string, Entry>();
        for await (const { entry } of kb.export()) found.set(entry.id, entry);
        return found;
      },
      close: () => kb.close(),
    };
  },
};

const classicLevel: Peer = {
  who: 'classic-level, sync: true',
  kind: 'peer',
  async open(dir) {
    const db = new ClassicLevel<string, Entry>(join(dir, 'level'), { valueEncoding: 'json' });
    await db.open();
    return {
      put: (entry) => db.put(entry.id, entry, { sync: true }),
      fill: (entries) => db.batch(entries.map((value) => ({ type: 'put', key: value.id, value }))),
      async all() {
        const found = new Map<string, Entry>();
        for await (const [id, entry] of db.iterator()) found.set(id, entry);
        return found;
      },
      close: () => db.close(),
    };
  },
};

const lmdb: Peer = {
  who: 'lmdb, await db.flushed',
  kind: 'peer',
  async open(dir) {
    const db = openLmdb<Entry, string>({ path: join(dir, 'lmdb') });
    return {
      async put(entry) {
        await db.put(entry.id, entry);
        await db.flushed;
      },
      fill: (entries) => Promise.all(entries.map((entry) => db.put(entry.id, entry))),
      async all() {
        const found = new Map<string, Entry>();
        for (const { key, value } of db.getRange()) found.set(key, value);
        return found;
      },
      close: () => db.close(),
    };
  },
};

/** What is used of nedb, whose types do not fit an import from a module. */
interface Nedb {
  loadDatabaseAsync(): Promise<void>;
  updateAsync(query: object, update: object, options: object): Promise<unknown>;
  insertAsync(entries: object[]): Promise<unknown>;
  getAllData(): Entry[];
  compactDatafileAsync(): Promise<void>;
}
const require = createRequire(import.meta.url);
const Datastore = require('@seald-io/nedb') as new (options: object) => Nedb;

const nedb: Peer = {
  who: '@seald-io/nedb',
  kind: 'peer',
  async open(dir) {
    const db = new Datastore({ filename: join(dir, 'nedb.db') });
    await db.loadDatabaseAsync();
    return {
      fill: (entries) => db.insertAsync(entries.map((entry) => ({ ...entry, _id: entry.id }))),
      put: (entry) => db.updateAsync({ _id: entry.id }, { ...entry, _id: entry.id }, { upsert: true }),
      all: async () => new Map(db.getAllData().map((entry) => [entry.id, entry])),
      async close() {
        await db.compactDatafileAsync();
      },
    };
  },
};

/** What is used of lokijs, which has no types of its own. */
interface LokiCollection {
  by(field: 'id', value: string): Entry | undefined;
  insert(entry: Entry): void;
  update(entry: Entry): void;
  find(): Entry[];
}
interface Loki {
  loadDatabase(options: object, done: (error?: Error | null) => void): void;
  getCollection(name: string): LokiCollection | null;
  addCollection(name: string, options: object): LokiCollection;
  close(done: () => void): void;
}
const LokiDatabase = require('lokijs') as new (file: string, options: object) => Loki;

const lokijs: Peer = {
  who: 'lokijs, autosave each second',
  kind: 'peer',
  async open(dir) {
    const db = new LokiDatabase(join(dir, 'loki.json'), { autosave: true, autosaveInterval: 1_000 });
    await new Promise<void>((resolve, reject) => {
      db.loadDatabase({}, (error) => (error ? reject(error) : resolve()));
    });
    const entries = db.getCollection('entries') ?? db.addCollection('entries', { unique: ['id'] });
    return {
      async put(entry) {
        const known = entries.by('id', entry.id);
        if (known) entries.update({ ...known, ...entry });
        else entries.insert({ ...entry });
      },
      async fill(many) {
        for (const entry of many) entries.insert({ ...entry });
      },
      all: async () => new Map(entries.find().map((entry) => [entry.id, entry])),
      close: () => new Promise((resolve) => db.close(() => resolve())),
    };
  },
};

const lowdb: Peer = {
  who: 'lowdb',
  kind: 'peer',
  slow: true,
  async open(dir) {
    const db = await JSONFilePreset<{ entries: Record<string, Entry> }>(join(dir, 'lowdb.json'), { entries: {} });
    return {
      async put(entry) {
        db.data.entries[entry.id] = entry;
        await db.write();
      },
      async fill(many) {
        for (const entry of many) db.data.entries[entry.id] = entry;
        await db.write();
      },
      all: async () => new Map(Object.entries(db.data.entries)),
      close: async () => {},
    };
  },
};

/** All that this Node can run. node:sqlite is in Node 22.13 and later. */
export const peers: readonly Peer[] = [holdfast, classicLevel, lmdb, nedb, lokijs, lowdb, ...sqlite()];
export const sqliteMissing = peers.some(({ who }) => who.startsWith('node:sqlite'))
  ? undefined
  : `Node ${process.versions.node} has none`;

interface Sqlite {
  DatabaseSync: new (
    path: string,
  ) => {
    exec(sql: string): void;
    prepare(sql: string): { run(...values: unknown[]): unknown; all(): { id: string; entry: string }[] };
    close(): void;
  };
}

function sqlite(): Peer[] {
  let module: Sqlite;
  try {
    module = require('node:sqlite') as Sqlite;
  } catch {
    return [];
  }
  return [
    {
      who: 'node:sqlite, WAL, synchronous FULL',
      kind: 'peer',
      async open(dir) {
        const db = new module.DatabaseSync(join(dir, 'sqlite.db'));
        db.exec(
          'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS e (id TEXT PRIMARY KEY, entry TEXT)',
        );
        const put = db.prepare('INSERT OR REPLACE INTO e VALUES (?, ?)');
        const all = db.prepare('SELECT id, entry FROM e');
        return {
          put: async (entry) => put.run(entry.id, JSON.stringify(entry)),
          async fill(entries) {
            db.exec('BEGIN');
            for (const entry of entries) put.run(entry.id, JSON.stringify(entry));
            db.exec('COMMIT');
          },
          all: async () => new Map(all.all().map(({ id, entry }) => [id, JSON.parse(entry) as Entry])),
          close: async () => db.close(),
        };
      },
    },
  ];
}
