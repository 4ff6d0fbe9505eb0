import { type Clock, systemClock } from '@holdfast/clock';
import { refuseOption } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import type { Store } from './store.js';

/** Options of `createIdempotency`. */
export interface IdempotencyOptions {
  /** Where claims live. @defaultValue memoryStore() */
  store?: Store | undefined;
  /** How long an answer is replayed, and how long a failed run keeps its id and steps. Milliseconds. @defaultValue 86_400_000 */
  ttlMs?: number | undefined;
  /** How long a claim outlives its owner's last sign of life. Renewed at a third of it. Milliseconds. @defaultValue 30_000 */
  leaseMs?: number | undefined;
  /** After this a run that never ends loses its key: `op.signal` aborts and the lease is renewed no more. Milliseconds. @defaultValue 300_000 */
  maxRunMs?: number | undefined;
  /** How long a duplicate waits for the run in flight; `false`: not at all. Milliseconds. @defaultValue 30_000 */
  waitMs?: number | false | undefined;
  /** How long one operation on the store may take. Milliseconds. @defaultValue 5_000 */
  storeTimeoutMs?: number | undefined;
  /** Keeps this instance's keys apart from others on the same store. @defaultValue 'default' */
  namespace?: string | undefined;
  /** When the store can't be reached: reject, or run without protection (`via: 'bypassed'`). @defaultValue 'reject' */
  onStoreError?: 'reject' | 'run' | undefined;
  /** Told what happened and why. It observes: what it throws changes nothing. */
  onEvent?: ((event: IdempotencyEvent) => void) | undefined;
  /** The time source. @defaultValue the system's */
  clock?: Clock | undefined;
  /** Uniform in [0, 1), for the jitter of waiting. @defaultValue Math.random */
  random?: (() => number) | undefined;
}

/** Options of one `run` or `execute`. */
export interface RunOptions<T = unknown> {
  /** Overrides the instance's `ttlMs`. */
  ttlMs?: number | undefined;
  /** Overrides the instance's `waitMs`. */
  waitMs?: number | false | undefined;
  /** A hash of what is asked: the same key with another one rejects `IDEMPOTENCY_KEY_REUSED`. Plain keys only. */
  fingerprint?: string | undefined;
  /** Whether what `fn` gave is kept for replays. `false` ends the run as a failure does, but the callers get the value. */
  retain?: ((value: T) => boolean) | undefined;
  /** Stops this call's waiting for somebody else's run. Never stops a run. */
  signal?: AbortSignal | undefined;
}

/** Every default, with its reason. */
export const DEFAULTS = {
  /** Stripe and the IETF draft's implementers publish 24 h; Alertmanager never retries longer than 10 minutes. */
  ttlMs: 24 * 60 * 60 * 1000,
  /** Longer than a stop-the-world pause or a MongoDB failover (11 s measured), short enough that a crash frees a key within a retry or two. */
  leaseMs: 30_000,
  /** Alertmanager gives a delivery up after group_interval, 5 minutes by default. */
  maxRunMs: 5 * 60 * 1000,
  /** The usual timeout of a client or proxy. */
  waitMs: 30_000,
  /** Above the stalls of a healthy database (a 2 s stepdown), below what a caller bears. */
  storeTimeoutMs: 5_000,
  namespace: 'default',
  onStoreError: 'reject',
  /** About 2.5 MB of small answers: a day of one request each 9 s. Choice. */
  maxEntries: 10_000,
  /** The figure the other stores of this family use. Choice. */
  maxBytes: 64 * 1024 * 1024,
} as const;

/** Options with their defaults. */
export interface Settings {
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly maxRunMs: number;
  readonly waitMs: number | false;
  readonly storeTimeoutMs: number;
  readonly namespace: string;
  readonly onStoreError: 'reject' | 'run';
  readonly onEvent: ((event: IdempotencyEvent) => void) | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Checks options once. @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION` */
export function settingsOf(options: IdempotencyOptions): Settings {
  if (typeof options !== 'object' || options === null) refuseOption('options', 'must be an object', options);
  const namespace = options.namespace ?? DEFAULTS.namespace;
  if (typeof namespace !== 'string' || namespace === '')
    refuseOption('namespace', 'must be a non-empty string', namespace);
  const onStoreError = options.onStoreError ?? DEFAULTS.onStoreError;
  if (onStoreError !== 'reject' && onStoreError !== 'run')
    refuseOption('onStoreError', "must be 'reject' or 'run'", onStoreError);
  if (options.onEvent !== undefined && typeof options.onEvent !== 'function')
    refuseOption('onEvent', 'must be a function', options.onEvent);
  if (options.store !== undefined && typeof options.store?.open !== 'function')
    refuseOption('store', 'must be a store such as memoryStore()', options.store);
  const maxRunMs = duration('maxRunMs', options.maxRunMs ?? DEFAULTS.maxRunMs);
  return {
    ttlMs: duration('ttlMs', options.ttlMs ?? DEFAULTS.ttlMs),
    // A run that may not last as long as a lease must not hold its key for one either.
    leaseMs: Math.min(maxRunMs, duration('leaseMs', options.leaseMs ?? DEFAULTS.leaseMs)),
    maxRunMs,
    waitMs: wait(options.waitMs ?? DEFAULTS.waitMs),
    storeTimeoutMs: duration('storeTimeoutMs', options.storeTimeoutMs ?? DEFAULTS.storeTimeoutMs),
    namespace,
    onStoreError,
    onEvent: options.onEvent,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** A positive number of milliseconds. */
export function duration(option: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1)
    refuseOption(option, 'must be a finite number of milliseconds >= 1', value);
  return value;
}

/** A number of milliseconds from 0, or false. */
export function wait(value: unknown): number | false {
  if (value === false) return false;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    refuseOption('waitMs', 'must be false or a finite number of milliseconds >= 0', value);
  return value;
}

/** A whole number from `min`. */
export function count(option: string, value: unknown, min = 1): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min)
    refuseOption(option, `must be a whole number >= ${min}`, value);
  return value;
}
