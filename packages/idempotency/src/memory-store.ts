import type { Clock } from '@holdfast/clock';
import {
  type Claim,
  type ClaimRequest,
  claimOf,
  decideClaim,
  type KeyRecord,
  type Replayed,
  releaseRecord,
  renewRecord,
  settleRecord,
  stepRecord,
} from './decide.js';
import { readableKey } from './key.js';
import { count, DEFAULTS } from './options.js';
import { RecentTime } from './recent-time.js';
import { RecordTable } from './record-table.js';
import { type OpenStore, type Store, type StoreContext, snapshotOf } from './store.js';

/** Options of {@link memoryStore}; each namespace on the store has these bounds for itself. */
export interface MemoryStoreOptions {
  /** Keys kept; above it the least recently used one at rest is evicted, counted and evented. @defaultValue 10_000 */
  maxEntries?: number | undefined;
  /** Approximate bytes kept. @defaultValue 67_108_864 */
  maxBytes?: number | undefined;
}

/**
 * A store in this process's memory, lost at exit. Claims are atomic among everybody who has this same object. Work in flight
 * is outside the bounds and never evicted. Time is monotonic: setting the clock neither revives nor expires a key.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const bounds = {
    maxEntries: count('maxEntries', options.maxEntries ?? DEFAULTS.maxEntries),
    maxBytes: count('maxBytes', options.maxBytes ?? DEFAULTS.maxBytes, 1_024),
  };
  const parts = new Map<string, MemoryPart>();
  return {
    name: 'memory',
    open(context) {
      const part = parts.get(context.namespace) ?? new MemoryPart(makeTable(bounds, context), context.clock);
      parts.set(context.namespace, part);
      return part;
    },
  };
}

function makeTable(bounds: { maxEntries: number; maxBytes: number }, context: StoreContext): RecordTable {
  const { clock, emit } = context;
  return new RecordTable({
    ...bounds,
    clock,
    now: () => timeOf(clock),
    onEvicted: (key, leftMs, why) => emit({ type: 'entry.evicted', key: readableKey(key), leftMs, why }),
  });
}

/** Whole milliseconds stay small integers in V8 for 24 days, which saves 16 bytes a time kept. */
function timeOf(clock: Clock): number {
  return Math.floor(clock.monotonic());
}

/** Of a claim that only wants to know. */
const RECALL: ClaimRequest = { token: '', id: '', state: '', lane: undefined, leaseMs: 0, keepMs: 0 };

class MemoryPart implements OpenStore {
  readonly clock: Clock;
  readonly #table: RecordTable;
  readonly #recent: RecentTime;

  constructor(table: RecordTable, clock: Clock) {
    this.clock = clock;
    this.#table = table;
    this.#recent = new RecentTime(clock);
  }

  recall(key: string): Replayed | undefined {
    const record = this.#table.restingAt(key);
    if (record?.run !== undefined || record?.last === undefined) return undefined;
    const answer = decideClaim(record, RECALL, this.#recent.now());
    return answer.verdict === 'done' ? answer : undefined;
  }

  claim(key: string, request: ClaimRequest): Claim {
    const before = this.#table.get(key);
    const { sent } = request;
    const now = sent?.clock === this.clock ? Math.floor(sent.atMs) : timeOf(this.clock);
    const decision = decideClaim(before, request, now);
    if (decision.verdict === 'mine') this.#table.set(key, decision.record, before);
    return claimOf(decision);
  }

  renew(key: string, token: string, leaseMs: number, keepMs: number): boolean {
    const before = this.#table.get(key);
    return this.#put(key, before, renewRecord(before, token, leaseMs, keepMs, timeOf(this.clock)));
  }

  settle(key: string, token: string, value: string, ttlMs: number): boolean {
    const before = this.#table.get(key);
    return this.#put(key, before, settleRecord(before, token, value, ttlMs, timeOf(this.clock)));
  }

  release(key: string, token: string, keepMs: number): boolean {
    const before = this.#table.get(key);
    return this.#put(key, before, releaseRecord(before, token, keepMs, timeOf(this.clock)));
  }

  step(key: string, token: string, name: string, value: string): boolean {
    const before = this.#table.get(key);
    return this.#put(key, before, stepRecord(before, token, name, value));
  }

  peek(key: string): ReturnType<OpenStore['peek']> {
    return snapshotOf(this.#table.get(key), timeOf(this.clock));
  }

  forget(key: string): boolean {
    return this.#table.delete(key);
  }

  stats(): ReturnType<OpenStore['stats']> {
    return this.#table.stats;
  }

  ping(): void {}

  /** What is stored stays for the others who have the store, and for whoever opens it again. */
  close(): void {}

  #put(key: string, before: KeyRecord | undefined, record: KeyRecord | undefined): boolean {
    if (record) this.#table.set(key, record, before);
    return record !== undefined;
  }
}
