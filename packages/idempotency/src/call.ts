import type { Clock } from '@holdfast/clock';
import type { ClaimRequest } from './decide.js';
import type { IdempotencyError } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import type { Outcome } from './idempotency.js';
import { encodeKey, type Key, type LaneTerms } from './key.js';
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
  readonly leaseMs: number;
  /** Monotonic, milliseconds. */
  readonly arrivedAt: number;
  /** When its claim was sent: the store's lease can't have begun earlier. */
  readonly sent: { readonly clock: Clock; atMs: number };
  readonly #tower: Tower;
  #id: string | undefined;

  /** Checks the options. */
  constructor(tower: Tower, key: Key, fn: (op: Operation) => unknown, options: RunOptions | undefined) {
    const { settings } = tower;
    const { text, lane, state } = encodeKey(key);
    const ttlMs = options?.ttlMs === undefined ? settings.ttlMs : duration('ttlMs', options.ttlMs);
    this.key = text;
    this.state = lane ? state : (options?.fingerprint ?? '');
    this.lane = lane;
    this.fn = fn;
    this.retain = options?.retain;
    this.signal = options?.signal;
    this.ttlMs = lane ? Math.max(ttlMs, lane.windowMs, lane.late?.ms ?? 0) : ttlMs;
    this.waitMs = options?.waitMs === undefined ? settings.waitMs : wait(options.waitMs);
    this.leaseMs = settings.leaseMs;
    this.arrivedAt = settings.clock.monotonic();
    this.sent = { clock: settings.clock, atMs: this.arrivedAt };
    this.#tower = tower;
  }

  get keepMs(): number {
    return this.ttlMs;
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

/** As `run` gives it. */
export function onlyValue({ value }: Value): unknown {
  return value;
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
