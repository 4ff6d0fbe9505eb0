import type { Collection, Document, FindOneAndUpdateOptions, MongoClient } from 'mongodb';
import { type Claim, type ClaimRequest, decideClaim, type KeyRecord, type RunReason } from './decide.js';
import { IdempotencyError } from './errors.js';
import {
  claimPipeline,
  NOW,
  ownedBy,
  releasePipeline,
  renewPipeline,
  settlePipeline,
  stepPipeline,
} from './mongo-pipelines.js';
import { type Deadline, type KeySnapshot, type OpenStore, snapshotOf } from './store.js';

/** A key as it is stored. `exp` is `expiresAt` for the TTL index. */
export type KeyDocument = { _id: string; exp: Date } & {
  -readonly [K in keyof KeyRecord]?: KeyRecord[K];
};

/** Without `journal: true` a majority write waits for the periodic flush, 100 times longer (measured). */
const WRITE = { writeConcern: { w: 'majority' as const, journal: true } };
const READ = { readConcern: { level: 'majority' as const } };
/** MongoDB's documents end at 16 MiB. */
const MAX_VALUE_BYTES = 15 * 1024 * 1024;
const DUPLICATE_KEY = 11_000;

/** One namespace in a collection. */
export class MongoPart implements OpenStore {
  readonly #keys: Collection<KeyDocument>;
  readonly #prefix: string;
  readonly #own: MongoClient | undefined;

  constructor(keys: Collection<KeyDocument>, prefix: string, own: MongoClient | undefined) {
    this.#keys = keys;
    this.#prefix = prefix;
    this.#own = own;
  }

  async claim(key: string, request: ClaimRequest, deadline: Deadline): Promise<Claim> {
    const found = await this.#claim(this.#prefix + key, request, deadline);
    const { run, now } = found;
    if (run?.token === request.token && run.until > now) {
      const { id, attempt, steps, why } = run as typeof run & { why: RunReason };
      return { verdict: 'mine', id, attempt, steps, reason: why };
    }
    const decision = decideClaim(recordOf(found), request, now);
    switch (decision.verdict) {
      // The reader's clock may be a little behind the lease's beginning, or the settling (measured).
      case 'done':
        return { ...decision, ageMs: Math.max(0, decision.ageMs) };
      case 'busy':
        return { verdict: 'busy', leftMs: Math.min(decision.leftMs, request.leaseMs) };
      case 'reused':
        return decision;
      case 'mine':
        throw new Error('the claim pipeline kept a record that decideClaim would have taken');
    }
  }

  renew(key: string, token: string, leaseMs: number, keepMs: number, deadline: Deadline): Promise<boolean> {
    return this.#change(key, token, renewPipeline(leaseMs, keepMs), deadline);
  }

  settle(key: string, token: string, value: string, ttlMs: number, deadline: Deadline): Promise<boolean> {
    checkSize(value);
    return this.#change(key, token, settlePipeline(value, ttlMs), deadline);
  }

  release(key: string, token: string, keepMs: number, deadline: Deadline): Promise<boolean> {
    return this.#change(key, token, releasePipeline(keepMs), deadline);
  }

  step(key: string, token: string, name: string, value: string, deadline: Deadline): Promise<boolean> {
    checkSize(value);
    return this.#change(key, token, stepPipeline(name, value), deadline);
  }

  async peek(key: string, deadline: Deadline): Promise<KeySnapshot | undefined> {
    const options = { ...READ, projection: PROJECTION, signal: deadline.signal };
    const found = (await this.#keys.findOne({ _id: this.#prefix + key }, options)) as Found | null;
    return found ? snapshotOf(recordOf(found), found.now) : undefined;
  }

  async forget(key: string, deadline: Deadline): Promise<boolean> {
    const options = { ...WRITE, signal: deadline.signal } as typeof WRITE;
    const { deletedCount } = await this.#keys.deleteOne({ _id: this.#prefix + key }, options);
    return deletedCount === 1;
  }

  /** Counting would cost a query. */
  stats(): ReturnType<OpenStore['stats']> {
    return { entries: undefined, inFlight: undefined, bytes: undefined, evicted: 0 };
  }

  async ping(deadline: Deadline): Promise<void> {
    await this.#keys.findOne({ _id: '' }, { ...READ, signal: deadline.signal });
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  /** One round trip. The server retries an upsert that met another one itself; once more here, should it not. */
  async #claim(id: string, request: ClaimRequest, deadline: Deadline): Promise<Found> {
    const options = {
      ...WRITE,
      upsert: true,
      returnDocument: 'after',
      projection: PROJECTION,
      promoteLongs: true,
      promoteValues: true,
      // Works on every operation, the types name it for some only (measured on 6.22 and 7.9).
      signal: deadline.signal,
    } as FindOneAndUpdateOptions;
    const send = async (): Promise<Found> =>
      (await this.#keys.findOneAndUpdate({ _id: id }, claimPipeline(id, request), {
        ...options,
        includeResultMetadata: false,
      })) as unknown as Found;
    try {
      const found = await send();
      // What the driver sent again after a lost answer comes back as it was written, with an old or no server time in it.
      const untimely = found.run?.token === request.token && !(found.run.until > found.now);
      return untimely || typeof found.now !== 'number' ? await send() : found;
    } catch (error) {
      if ((error as { code?: unknown }).code !== DUPLICATE_KEY) throw error;
      return send();
    }
  }

  async #change(key: string, token: string, pipeline: Document[], deadline: Deadline): Promise<boolean> {
    const options = { ...WRITE, signal: deadline.signal } as typeof WRITE;
    const { matchedCount } = await this.#keys.updateOne(ownedBy(this.#prefix + key, token), pipeline, options);
    return matchedCount === 1;
  }
}

type Found = KeyDocument & { now: number };

const PROJECTION = { run: 1, last: 1, older: 1, expiresAt: 1, now: NOW } as const;

function recordOf({ run, last, older, expiresAt = 0 }: KeyDocument): KeyRecord {
  return { run, last, older, expiresAt };
}

function checkSize(value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes <= MAX_VALUE_BYTES) return;
  const message = `the result has ${bytes} bytes, MongoDB takes ${MAX_VALUE_BYTES}`;
  throw new IdempotencyError('IDEMPOTENCY_INVALID_VALUE', message, { path: '$' });
}
