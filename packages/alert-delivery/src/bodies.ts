import type { AlertRecord } from './life.js';

/** What is kept of an ended alert beside its short entry: the whole record. */
export type Body = AlertRecord;

/** `past` holds delivered and coalesced alerts, `dead` the dead letters. */
export type Shelf = 'past' | 'dead';

/** Where whole records of ended alerts are kept, outside the journal: on disk for a file store, so that memory stays small. */
export interface Bodies {
  /** Keeps a record. With `sync` it is durable once this resolves, else soon. A later one of the same id replaces it. */
  put(shelf: Shelf, id: string, body: Body, options: { sync: boolean }): Promise<void>;
  /** `undefined` when it is not there, or damaged; rejects when it can't be read. */
  get(shelf: Shelf, id: string): Promise<Body | undefined>;
  drop(shelf: Shelf, id: string): void;
  /** Drops all that is not known, once after opening. */
  retain(shelf: Shelf, known: (id: string) => boolean): void;
  close(): Promise<void>;
}

const DONE = Promise.resolve();

/** Keeps records in memory, as JSON: what is handed out is a copy, and a text costs the garbage collector nothing. */
export function memoryBodies(): Bodies {
  const shelves: Record<Shelf, Map<string, string>> = { past: new Map(), dead: new Map() };
  return {
    put(shelf, id, body) {
      shelves[shelf].set(id, JSON.stringify(body));
      return DONE;
    },
    async get(shelf, id) {
      const body = shelves[shelf].get(id);
      return body === undefined ? undefined : (JSON.parse(body) as Body);
    },
    drop(shelf, id) {
      shelves[shelf].delete(id);
    },
    retain() {},
    async close() {},
  };
}
