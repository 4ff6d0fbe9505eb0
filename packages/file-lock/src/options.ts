import type { Clock } from '@holdfast/clock';
import { systemClock } from '@holdfast/clock';
import { FileLockError } from './errors.js';
import type { FileLockEvent } from './events.js';
import type { Takeover } from './protocol.js';

/** Who may be replaced, how long to wait, and who watches. */
export interface AcquireOptions {
  /**
   * How long to wait for the lock, milliseconds. 0 tries once. `Infinity` waits for ever.
   * @defaultValue 10000
   */
  timeoutMs?: number | undefined;
  /**
   * How long a heartbeat must stand still, as seen on this process's monotonic clock, before its owner may be replaced,
   * milliseconds, at least 2000. Also sets this hold's own heartbeat: twice in that time.
   * @defaultValue 10000
   */
  staleMs?: number | undefined;
  /**
   * Who may be replaced. An owner proven dead: always, at once.
   * - `dead-or-stale`: also anybody whose heartbeat stands still for `staleMs`, even a stopped or blocked process.
   * - `dead-or-unproven`: the same, but never one that is proven alive on this host, stopped or not.
   * - `dead-only`: nobody else; a lock left on another host or boot then needs `breakLock`.
   * @defaultValue 'dead-or-stale'
   */
  takeover?: Takeover | undefined;
  /**
   * `'proven-alive'`: reject `FILE_LOCK_TIMEOUT` at once, without waiting for `timeoutMs`, when the holder is proven to be
   * alive on this host (a second open in this process is). Locks of others are waited for as usual.
   */
  failFast?: 'proven-alive' | undefined;
  /** Ends the wait: the call rejects with `signal.reason`. Has no effect on a lock already held. */
  signal?: AbortSignal | undefined;
  /** Called with each event; what it throws never changes an outcome. */
  onEvent?: ((event: FileLockEvent) => void) | undefined;
  clock?: Clock | undefined;
  /** Uniform in [0, 1), for the jitter between two looks at a held lock. */
  random?: (() => number) | undefined;
}

/** The defaults of every function here, each with its reason. */
export const DEFAULTS = {
  /** proper-lockfile's own default, so that both agree on what stale means. */
  staleMs: 10_000,
  /** As long as `staleMs`: choice. A dead owner on this host is replaced in milliseconds, so this is for busy files. */
  timeoutMs: 10_000,
  /** A hung owner must not block for ever. */
  takeover: 'dead-or-stale',
  /** What resolves is durable. */
  fsync: true,
  /** What an editor saved must not be lost, and neither the update. */
  onExternalChange: 'rerun',
  /** Three thoughts overtaken in a row mean that the file is too busy for `edit`: choice. */
  maxAttempts: 3,
} as const;

/** proper-lockfile accepts no less; a shorter one would take a process that is merely busy for dead. */
const LEAST_STALE_MS = 2_000;

export interface AcquireSettings {
  readonly timeoutMs: number;
  readonly staleMs: number;
  readonly takeover: Takeover;
  readonly failFast: 'proven-alive' | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: ((event: FileLockEvent) => void) | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Checks `options` and fills in the defaults; throws `FILE_LOCK_INVALID_OPTION`. */
export function acquireSettings(options: AcquireOptions = {}): AcquireSettings {
  return {
    timeoutMs: milliseconds('timeoutMs', options.timeoutMs ?? DEFAULTS.timeoutMs, 0),
    staleMs: milliseconds('staleMs', options.staleMs ?? DEFAULTS.staleMs, LEAST_STALE_MS),
    takeover: oneOf('takeover', options.takeover ?? DEFAULTS.takeover, [
      'dead-or-stale',
      'dead-or-unproven',
      'dead-only',
    ]),
    failFast:
      options.failFast === undefined
        ? undefined
        : oneOf<'proven-alive'>('failFast', options.failFast, ['proven-alive']),
    signal: options.signal,
    onEvent: options.onEvent,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** Throws unless `path` can name a file. */
export function checkPath(path: unknown): asserts path is string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return;
  throw invalid('path', 'must be a non-empty string without a NUL character', path);
}

export function invalid(option: string, rule: string, received: unknown): FileLockError {
  return new FileLockError('FILE_LOCK_INVALID_OPTION', `${option} ${rule}, received ${show(received)}`);
}

function milliseconds(option: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw invalid(option, `must be a number of milliseconds, at least ${least}`, value);
}

function oneOf<T extends string>(option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw invalid(option, `must be one of ${allowed.map((one) => `'${one}'`).join(', ')}`, value);
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
