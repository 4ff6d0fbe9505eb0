import type { Clock } from '@holdfast/clock';
import { systemClock } from '@holdfast/clock';
import type { KbEvent } from './events.js';
import type { KbStore, LoadProgress } from './store.js';
import type { TextOptions } from './text-options.js';

/** What {@link openKb} takes. */
export interface KbOptions {
  /** Where it is kept: `fileStore({ dir })`, `mongoStore(…)` or, in tests, `memoryStore()`. */
  store: KbStore;
  /** How long opening may take, milliseconds. @defaultValue 30_000 */
  startTimeoutMs?: number | undefined;
  /** How long a write may take before it rejects, milliseconds. @defaultValue 15_000 */
  writeTimeoutMs?: number | undefined;
  /** Called at least every 250 ms while loading. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** A stored entry that can't be read: set it aside and count it, or refuse to start. @defaultValue 'quarantine' */
  onPoison?: 'quarantine' | 'fail' | undefined;
  /** Damage in the file store's log, anywhere but in its torn tail: refuse to start, or set the bytes aside. @defaultValue 'refuse' */
  onDamage?: 'refuse' | 'quarantine' | undefined;
  /** Largest entry as JSON, bytes; at most 15 MiB. @defaultValue 15_728_640 */
  maxEntryBytes?: number | undefined;
  /** How text is searched. */
  text?: TextOptions | undefined;
  /** Gives up opening when it aborts: `openKb` rejects with its reason at once, and leaves nothing running. No effect once open. */
  signal?: AbortSignal | undefined;
  /** Hears what happens. A listener that throws changes nothing. */
  onEvent?: ((event: KbEvent) => void) | undefined;
  /** Time, for tests. */
  clock?: Clock | undefined;
  /** Chance, for jitter: a number in [0, 1). */
  random?: (() => number) | undefined;
}

export const DEFAULTS = {
  /** The file store watches an owner that can't be proven dead for 10 s; a replica set may elect for 11 s. Twice that. */
  startTimeoutMs: 30_000,
  /** An unplanned failover takes 11.0 s at the default election timeout (measured): below it each one would surface. */
  writeTimeoutMs: 15_000,
  onPoison: 'quarantine',
  onDamage: 'refuse',
  /** MongoDB's documents end at 16 MiB; 1 MiB is left for what is stored around the entry. */
  maxEntryBytes: 15 * 1024 * 1024,
  /** How many hits a query gives. Choice: one screen. */
  queryLimit: 20,
  /** Terms of a text query that count, after de-duplication. Choice: bounds what one query can cost. */
  maxQueryTerms: 64,
  /** Characters of a text query that are read. Choice: a 1 MB query costs what this much costs. */
  maxQueryChars: 65_536,
  /** Levels of nesting in an entry. MongoDB takes 120 and refuses 200 (measured). */
  maxDepth: 100,
  /** Bytes of an id as UTF-8. Choice. */
  maxIdBytes: 512,
  /** Results of writes with a caller's `opId` that are remembered. Choice: minutes of retries at 100 writes/s. */
  rememberedOps: 10_000,
  /** Changes that a slow reader of `changes()` may be behind before it ends in `reset`. Choice. */
  maxPendingChanges: 1_000,
  /** How long a tombstone is kept, milliseconds: 7 days. An instance that was away longer reconciles. */
  tombstoneMs: 7 * 24 * 60 * 60 * 1000,
} as const;

/** {@link KbOptions} with nothing left open. */
export interface ResolvedOptions {
  readonly store: KbStore;
  readonly startTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly onProgress: ((progress: LoadProgress) => void) | undefined;
  readonly onPoison: 'quarantine' | 'fail';
  readonly onDamage: 'refuse' | 'quarantine';
  readonly maxEntryBytes: number;
  readonly text: TextOptions;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: ((event: KbEvent) => void) | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Checks the options of `openKb`. @throws TypeError naming the option, the rule and what was received. */
export function resolveOptions(options: KbOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw bad('options', 'be an object', options);
  if (typeof options.store?.open !== 'function') {
    throw bad('store', 'be a store, as in openKb({ store: fileStore({ dir }) })', options.store);
  }
  for (const name of ['onProgress', 'onEvent', 'random'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw bad(name, 'be a function', options[name]);
  }
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw bad('signal', 'be an AbortSignal', options.signal);
  }
  const text = options.text ?? {};
  if (typeof text !== 'object') throw bad('text', 'be an object', text);
  if (text.tokenize !== undefined && typeof text.tokenize !== 'function') {
    throw bad('text.tokenize', 'be a function', text.tokenize);
  }
  if (text.prefix !== undefined && typeof text.prefix !== 'boolean')
    throw bad('text.prefix', 'be a boolean', text.prefix);
  if (text.fuzzy !== undefined && text.fuzzy !== 0 && text.fuzzy !== 1 && text.fuzzy !== 2) {
    throw bad('text.fuzzy', 'be 0, 1 or 2 edits', text.fuzzy);
  }
  return {
    store: options.store,
    startTimeoutMs: whole(
      'startTimeoutMs',
      options.startTimeoutMs,
      DEFAULTS.startTimeoutMs,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
    writeTimeoutMs: whole(
      'writeTimeoutMs',
      options.writeTimeoutMs,
      DEFAULTS.writeTimeoutMs,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
    onProgress: options.onProgress,
    onPoison: oneOf('onPoison', options.onPoison, DEFAULTS.onPoison, ['quarantine', 'fail']),
    onDamage: oneOf('onDamage', options.onDamage, DEFAULTS.onDamage, ['refuse', 'quarantine']),
    maxEntryBytes: whole('maxEntryBytes', options.maxEntryBytes, DEFAULTS.maxEntryBytes, 1, DEFAULTS.maxEntryBytes),
    text,
    signal: options.signal,
    onEvent: options.onEvent,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** A whole number in a range, or the default when it is absent. */
export function whole(name: string, value: unknown, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw bad(name, `be a whole number from ${min} to ${max}`, value);
  }
  return value as number;
}

function oneOf<V extends string>(name: string, value: unknown, fallback: V, allowed: readonly V[]): V {
  if (value === undefined) return fallback;
  if (!allowed.includes(value as V)) throw bad(name, `be ${allowed.map((each) => `'${each}'`).join(' or ')}`, value);
  return value as V;
}

/** The error for a bad option: which, what it must be, what came. */
export function bad(name: string, rule: string, value: unknown): TypeError {
  return new TypeError(`persistent-kb: ${name} must ${rule}, received ${show(value)}`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
