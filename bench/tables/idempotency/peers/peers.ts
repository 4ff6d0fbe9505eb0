import {
  IdempotencyConfig,
  IdempotencyItemAlreadyExistsError,
  IdempotencyItemNotFoundError,
  makeIdempotent,
} from '@aws-lambda-powertools/idempotency';
import { BasePersistenceLayer, type IdempotencyRecord } from '@aws-lambda-powertools/idempotency/persistence';
import { createIdempotency, memoryStore } from '@holdfast/idempotency';
import { Idempotency } from '@node-idempotency/core';
import { MemoryStorageAdapter } from '@node-idempotency/storage-adapter-memory';
import { LRUCache } from 'lru-cache';
import type { Row } from '../../../runner/table.ts';

/** Runs `fn` unless the key has an answer. */
export type Run = (key: string, fn: () => Promise<unknown>) => Promise<unknown>;

export interface Peer {
  readonly who: string;
  readonly kind: Row['kind'];
  /** Room for `keys`. */
  make(keys: number): { run: Run; close?: () => Promise<void> };
}

export const holdfast: Peer = {
  who: 'holdfast',
  kind: 'ours',
  make(keys) {
    const idempotency = createIdempotency({ store: memoryStore({ maxEntries: keys, maxBytes: 2 ** 30 }) });
    return { run: (key, fn) => idempotency.run(key, fn), close: () => idempotency.close() };
  },
};

/** What people write first: no claim, no lease, values shared by reference. Bounded as ours is, by entries, bytes and age. */
export const lruCache: Peer = {
  who: 'lru-cache 11.5.3, get then set',
  kind: 'floor',
  make(keys) {
    const cache = new LRUCache<string, { value: unknown }>({
      max: keys,
      maxSize: 2 ** 30,
      sizeCalculation: ({ value }, key) => 200 + key.length + (typeof value === 'string' ? value.length : 0),
      ttl: 86_400_000,
    });
    return getThenSet(cache);
  },
};

/** The same without the bound on bytes, which ours has. */
export const lruCacheUnsized: Peer = {
  who: 'lru-cache 11.5.3, get then set, no bound on bytes',
  kind: 'floor',
  make(keys) {
    return getThenSet(new LRUCache<string, { value: unknown }>({ max: keys, ttl: 86_400_000 }));
  },
};

function getThenSet(cache: LRUCache<string, { value: unknown }>): { run: Run } {
  return {
    async run(key, fn) {
      const known = cache.get(key);
      if (known) return known.value;
      const value = await fn();
      cache.set(key, { value });
      return value;
    },
  };
}

/** As its adapters do for each request. */
export const nodeIdempotency: Peer = {
  who: '@node-idempotency/core 1.0.11',
  kind: 'peer',
  make() {
    const idempotency = new Idempotency(new MemoryStorageAdapter());
    return {
      async run(key, fn) {
        const request = { headers: { 'idempotency-key': key }, path: '/work', method: 'POST', body: { key } };
        const known = await idempotency.onRequest<unknown, unknown>(request);
        if (known) return known.body;
        const body = await fn();
        await idempotency.onResponse(request, { body });
        return body;
      },
    };
  },
};

/** Powertools has stores for DynamoDB and Redis; this one keeps its records in lru-cache, as its documentation describes own layers. */
class LruLayer extends BasePersistenceLayer {
  readonly #records: LRUCache<string, IdempotencyRecord>;

  constructor(keys: number) {
    super();
    this.#records = new LRUCache({ max: keys });
  }

  protected async _putRecord(record: IdempotencyRecord): Promise<void> {
    const known = this.#records.get(record.idempotencyKey);
    if (known && !known.isExpired()) throw new IdempotencyItemAlreadyExistsError('there already', known);
    this.#records.set(record.idempotencyKey, record);
  }

  protected async _getRecord(key: string): Promise<IdempotencyRecord> {
    const record = this.#records.get(key);
    if (!record) throw new IdempotencyItemNotFoundError('not there');
    return record;
  }

  protected async _updateRecord(record: IdempotencyRecord): Promise<void> {
    this.#records.set(record.idempotencyKey, record);
  }

  protected async _deleteRecord(record: IdempotencyRecord): Promise<void> {
    this.#records.delete(record.idempotencyKey);
  }
}

export const powertools: Peer = {
  who: '@aws-lambda-powertools 2.35.0, own LRU layer',
  kind: 'peer',
  make(keys) {
    const config = new IdempotencyConfig({});
    config.registerLambdaContext({ getRemainingTimeInMillis: () => 30_000 } as never);
    // Its types take the options of a Lambda handler only; its documentation uses these for any function.
    const options = { persistenceStore: new LruLayer(keys), config, dataIndexArgument: 0 };
    const work = makeIdempotent((async (_key: string, fn: () => Promise<unknown>) => fn()) as never, options as never);
    return { run: work as unknown as Run };
  },
};
