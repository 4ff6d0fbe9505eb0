import type { Clock } from '@holdfast/clock';
import { LRUCache } from 'lru-cache';
import type { KeyRecord } from './decide.js';

/** Bounds of a {@link RecordTable} and who hears of what was dropped. */
export interface TableOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  /** The time in which records expire. */
  readonly now: () => number;
  readonly onEvicted: (key: string, leftMs: number, why: 'no-room' | 'too-large') => void;
}

/** Objects, list links and map slots of one entry, measured at about 200 bytes; key and values come on top. */
const ENTRY_BYTES = 200;
/** How often expired records are looked for, and how many are looked at in one turn. */
const SWEEP_MS = 30_000;
const SWEEP_SLICE = 2_000;

/**
 * Records in memory: those with a run in flight in a map of their own, which is never evicted from, the others in an LRU
 * cache bounded by entries and bytes. One timer for the whole table frees what has expired; none per key.
 */
export class RecordTable {
  readonly #inFlight = new Map<string, KeyRecord>();
  readonly #atRest: LRUCache<string, KeyRecord>;
  readonly #options: TableOptions;
  /** Of every `set` on the cache. */
  readonly #setting = { size: 0 };
  #cancelSweep: (() => void) | undefined;
  #evicted = 0;

  constructor(options: TableOptions) {
    this.#options = options;
    this.#atRest = new LRUCache<string, KeyRecord>({
      max: options.maxEntries,
      maxSize: options.maxBytes,
      dispose: (record, key, why) => {
        if (why === 'evict') this.#reportEviction(key, record, 'no-room');
      },
    });
  }

  get(key: string): KeyRecord | undefined {
    return this.#inFlight.get(key) ?? this.#atRest.get(key);
  }

  /** The record of a key that has no run in flight. */
  restingAt(key: string): KeyRecord | undefined {
    return this.#atRest.get(key);
  }

  /** Puts the record where it belongs, in flight or at rest. `before` is what `get` gives now. */
  set(key: string, record: KeyRecord, before = this.get(key)): void {
    if (this.#cancelSweep === undefined) this.#armSweep();
    if (flies(record)) {
      if (before !== undefined && !flies(before)) this.#atRest.delete(key);
      this.#inFlight.set(key, record);
      return;
    }
    if (before !== undefined && flies(before)) this.#inFlight.delete(key);
    const size = sizeOf(key, record);
    if (size > this.#options.maxBytes) {
      this.#atRest.delete(key);
      this.#reportEviction(key, record, 'too-large');
      return;
    }
    this.#setting.size = size;
    this.#atRest.set(key, record, this.#setting);
  }

  delete(key: string): boolean {
    const flew = this.#inFlight.delete(key);
    return this.#atRest.delete(key) || flew;
  }

  get stats(): { entries: number; inFlight: number; bytes: number; evicted: number } {
    return {
      entries: this.#inFlight.size + this.#atRest.size,
      inFlight: this.#inFlight.size,
      bytes: this.#atRest.calculatedSize,
      evicted: this.#evicted,
    };
  }

  *entries(): Iterable<[string, KeyRecord]> {
    yield* this.#inFlight;
    for (const entry of this.#atRest.entries()) yield entry as [string, KeyRecord];
  }

  clear(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.#inFlight.clear();
    this.#atRest.clear();
  }

  #reportEviction(key: string, record: KeyRecord, why: 'no-room' | 'too-large'): void {
    const leftMs = record.expiresAt - this.#options.now();
    if (leftMs <= 0) return;
    this.#evicted++;
    this.#options.onEvicted(key, leftMs, why);
  }

  #armSweep(): void {
    this.#cancelSweep = this.#options.clock.schedule(SWEEP_MS, () =>
      this.#sweep(this.#atRest.rentries() as Iterator<[string, KeyRecord]>),
    );
  }

  /** Looks at a slice, then lets others run. */
  #sweep(rest: Iterator<[string, KeyRecord]>): void {
    const now = this.#options.now();
    for (let looked = 0; looked < SWEEP_SLICE; looked++) {
      const next = rest.next();
      if (next.done) return this.#endSweep(now);
      if (next.value[1].expiresAt <= now) this.#atRest.delete(next.value[0]);
    }
    this.#cancelSweep = this.#options.clock.schedule(0, () => this.#sweep(rest));
  }

  #endSweep(now: number): void {
    for (const [key, record] of this.#inFlight) if (record.expiresAt <= now) this.#inFlight.delete(key);
    this.#cancelSweep = undefined;
    if (this.#inFlight.size + this.#atRest.size > 0) this.#armSweep();
  }
}

/** Whether a run is in flight: never evicted. */
function flies({ run }: KeyRecord): boolean {
  return run !== undefined && run.until > 0;
}

function sizeOf(key: string, record: KeyRecord): number {
  let size = ENTRY_BYTES + key.length;
  if (record.last) size += record.last.value.length;
  if (record.older)
    for (const delivered of record.older) size += ENTRY_BYTES / 2 + delivered.state.length + delivered.value.length;
  if (record.run) for (const step of record.run.steps) size += step[0].length + step[1].length;
  return size;
}
