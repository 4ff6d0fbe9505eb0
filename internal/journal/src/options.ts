import { type Clock, systemClock } from '@holdfast/clock';
import type { JournalEvent, JournalOptions } from './contract.js';

/** Longest line that the format allows, bytes: a reader never holds more than this of a file without a line feed. */
export const MAX_LINE_BYTES = 256 * 2 ** 20;

export const DEFAULTS = {
  /** Damage stops a start by default: going on without records is a person's decision. */
  onDamage: 'refuse',
  /** 16 MiB: after a crash one segment is copied, and this bounds the copy. Choice. */
  segmentBytes: 16 * 2 ** 20,
  /** 16 MiB: MongoDB's document limit, so that what fits here fits there. */
  maxRecordBytes: 16 * 2 ** 20,
  /** 10 s: file-lock's default. */
  staleMs: 10_000,
  /** 30 s: three times staleMs, so that a restarted container outlasts the watch over its predecessor. */
  openTimeoutMs: 30_000,
} as const;

export interface ResolvedOptions<R> {
  dir: string;
  apply: JournalOptions<R>['apply'];
  snapshot: JournalOptions<R>['snapshot'];
  onDamage: 'refuse' | 'quarantine';
  segmentBytes: number;
  maxRecordBytes: number;
  staleMs: number;
  openTimeoutMs: number;
  onProgress: JournalOptions<R>['onProgress'];
  onEvent: ((event: JournalEvent) => void) | undefined;
  signal: AbortSignal | undefined;
  clock: Clock;
}

/** Fills in the defaults. Throws a TypeError or RangeError that names the option, the rule and the value. */
export function resolveOptions<R>(options: JournalOptions<R>): ResolvedOptions<R> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`options must be an object, got ${options}`);
  if (typeof options.dir !== 'string' || options.dir === '')
    throw new TypeError(`dir must be a non-empty string, got ${JSON.stringify(options.dir)}`);
  for (const name of ['apply', 'snapshot'] as const)
    if (typeof options[name] !== 'function')
      throw new TypeError(`${name} must be a function, got ${typeof options[name]}`);
  const onDamage = options.onDamage ?? DEFAULTS.onDamage;
  if (onDamage !== 'refuse' && onDamage !== 'quarantine')
    throw new TypeError(`onDamage must be 'refuse' or 'quarantine', got ${JSON.stringify(onDamage)}`);
  return {
    dir: options.dir,
    apply: options.apply,
    snapshot: options.snapshot,
    onDamage,
    segmentBytes: integer('segmentBytes', options.segmentBytes ?? DEFAULTS.segmentBytes, 1024, 2 ** 40),
    maxRecordBytes: integer('maxRecordBytes', options.maxRecordBytes ?? DEFAULTS.maxRecordBytes, 1, MAX_LINE_BYTES / 2),
    staleMs: integer('staleMs', options.staleMs ?? DEFAULTS.staleMs, 2_000, 2 ** 31),
    openTimeoutMs: integer('openTimeoutMs', options.openTimeoutMs ?? DEFAULTS.openTimeoutMs, 0, 2 ** 31),
    onProgress: options.onProgress,
    onEvent: options.onEvent,
    signal: options.signal,
    clock: options.clock ?? systemClock,
  };
}

function integer(name: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new RangeError(`${name} must be an integer from ${least} to ${most}, got ${String(value)}`);
  return value;
}
