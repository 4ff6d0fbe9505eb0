import type { Clock } from '@holdfast/clock';
import type { ClaimRequest } from './decide.js';
import type { IdempotencyError } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import type { Outcome } from './idempotency.js';
import { encodeKey, encodeText, type Key, type LaneTerms } from './key.js';
import type { Leases } from './lease.js';
import type { Operation } from './operation.js';
import { duration, type RunOptions, type Settings, wait } from './options.js';
import type { MaybePromise, OpenStore } from './store.js';
import type { EncodedValue } from './value.js';

/** One call of `run` or `execute`, and the claim that it sends; it leads one flight at most. */
export class Call implements ClaimRequest {
  readonly key: string;
  readonly state: string;
  readonly lane: LaneTerms | undefined;
  readonly fn: (op: Operation) => unknown;
  readonly retain: ((value: unknown) => boolean) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly ttlMs: number;
  readonly waitMs: number | false;
  readonly #tower: Tower;
  #id: string | undefined;
  #arrivedAt: number | undefined;
  #sentAt: number | undefined;

  /** Checks the options. */
  constructor(tower: Tower, key: Key, fn: (op: Operation) => unknown, options: RunOptions | undefined) {
    const { settings } = tower;
    this.#tower = tower;
    this.fn = fn;
    if (typeof key === 'string') {
      this.key = encodeText(key);
      this.state = options?.fingerprint ?? '';
      this.lane = undefined;
    } else {
      const { text, lane, state } = encodeKey(key);
      this.key = text;
      this.state = lane ? state : (options?.fingerprint ?? '');
      this.lane = lane;
    }
    this.retain = options?.retain;
    this.signal = options?.signal;
    const ttlMs = options?.ttlMs === undefined ? settings.ttlMs : duration('ttlMs', options.ttlMs);
    this.ttlMs = this.lane ? Math.max(ttlMs, this.lane.windowMs, this.lane.late?.ms ?? 0) : ttlMs;
    this.waitMs = options?.waitMs === undefined ? settings.waitMs : wait(options.waitMs);
  }

  get leaseMs(): number {
    return this.#tower.settings.leaseMs;
  }

  get keepMs(): number {
    return this.ttlMs;
  }

  get clock(): Clock {
    return this.#tower.settings.clock;
  }

  get sent(): this {
    return this;
  }

  /** When its claim was sent, monotonic: the store's lease can't have begun earlier. A replay from memory never asks. */
  get atMs(): number {
    this.#sentAt ??= this.clock.monotonic();
    return this.#sentAt;
  }

  /** When it began to wait, monotonic; else when its claim was sent. */
  get arrivedAt(): number {
    return this.#arrivedAt ?? this.atMs;
  }

  /** It can't be answered at once: its patience counts from now. */
  waits(): void {
    this.#arrivedAt ??= this.clock.monotonic();
  }

  /** Its claim is sent now. A store that looks at `sent` reads the time itself, if it needs it. */
  sending(store: OpenStore): void {
    this.#sentAt = store.clock === this.clock ? undefined : this.clock.monotonic();
  }

  /** Made when a store needs it: a replay does not. New for each call, so it is fit to be the token too. */
  get id(): string {
    this.#id ??= this.#tower.nextId();
    return this.#id;
  }

  get token(): string {
    return this.id;
  }
}

/** How a flight ended. */
export type End =
  | {
      readonly end: 'value';
      readonly value: unknown;
      /** For separate copies; absent when the value can't be encoded. */
      readonly encoded: EncodedValue | undefined;
      readonly via: 'ran' | 'replayed' | 'joined' | 'bypassed';
      readonly attempt: number;
      readonly ageMs: number;
    }
  /** For everybody who waited. */
  | { readonly end: 'error'; readonly error: unknown }
  /** For the call that led; the others ask again, since there is or will be another owner. */
  | { readonly end: 'lost' | 'left'; readonly error: unknown };

/** The end of a flight that gave something. */
export type Value = End & { end: 'value' };

/** As `execute` gives it. */
export function outcomeOf({ value, via, attempt, ageMs }: Value): Outcome<unknown> {
  return { value, via, attempt, ageMs };
}

/** What a flight needs of the instance that it belongs to. */
export interface Tower {
  readonly settings: Settings;
  readonly counts: Counts;
  /** Aborts when the instance closes: nobody waits for other instances any more. */
  readonly leaving: AbortSignal;
  readonly leases: Leases;
  /** Whether anybody hears events. */
  readonly listening: boolean;
  emit(event: IdempotencyEvent): void;
  store(): MaybePromise<OpenStore>;
  /** Counts and events a store's failure. */
  storeFailed(operation: string, error: unknown): void;
  refused(call: Call, error: IdempotencyError): IdempotencyError;
  /** What a call is told whose own flight did not give it a value; counted and evented. */
  told(call: Call, error: unknown): unknown;
  /** Uniform in [0, 1). */
  random(): number;
  nextId(): string;
}

/** What an instance counts. */
export interface Counts {
  hits: number;
  runs: number;
  joins: number;
  failures: number;
  takeovers: number;
  lost: number;
  bypassed: number;
  busy: number;
  storeErrors: number;
}
