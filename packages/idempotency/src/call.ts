import type { IdempotencyError } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import type { LaneTerms } from './key.js';
import type { Operation } from './operation.js';
import type { Settings } from './options.js';
import type { MaybePromise, OpenStore } from './store.js';
import type { EncodedValue } from './value.js';

/** One call of `run` or `execute`, checked. */
export interface Call {
  readonly key: string;
  readonly state: string;
  readonly lane: LaneTerms | undefined;
  readonly fn: (op: Operation) => unknown;
  readonly retain: ((value: unknown) => boolean) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly ttlMs: number;
  readonly waitMs: number | false;
  /** Monotonic, milliseconds. */
  readonly arrivedAt: number;
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

/** What a flight needs of the instance that it belongs to. */
export interface Tower {
  readonly settings: Settings;
  readonly counts: Counts;
  /** Aborts when the instance closes: nobody waits for other instances any more. */
  readonly leaving: AbortSignal;
  emit(event: IdempotencyEvent): void;
  store(): MaybePromise<OpenStore>;
  /** Counts and events a store's failure. */
  storeFailed(operation: string, error: unknown): void;
  refused(call: Call, error: IdempotencyError): IdempotencyError;
  /** Uniform in [0, 1). */
  random(): number;
  nextToken(): string;
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
