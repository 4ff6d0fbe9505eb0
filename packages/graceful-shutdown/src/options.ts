import { type Clock, systemClock } from '@holdfast/clock';
import { LifecycleError } from './errors.js';
import type { LifecycleEvent } from './events.js';

/** Every default, with its reason. Durations are milliseconds. */
export const DEFAULTS = {
  /** Kubernetes' terminationGracePeriodSeconds is 30; raise that one when you raise this one. */
  drainTimeoutMs: 30_000,
  /** Choice: only a balancer that reacts to readiness needs it, everybody else would just stop later. */
  readinessDelayMs: 0,
  /** Choice: twice what an unreachable MongoDB takes to be given up (30 s). */
  startTimeoutMs: 60_000,
  /** Choice: one budget for all stops, so that drain + stops end within 40 s. */
  stopTimeoutMs: 10_000,
  /** Node's own keepAliveTimeout: the promise already made to an idle client runs out by then. */
  keepAliveGraceMs: 5_000,
  /** Choice: a reader that takes nothing for half a minute is gone; TCP's own retries would hold it for 15 minutes. */
  writeStallMs: 30_000,
  /** Choice: a head is at most 16 KiB; Node's 60 s lets a client that sends one byte a second hold a socket for a minute. */
  headersTimeoutMs: 10_000,
  /** Node's own default; behind a balancer set it above the balancer's idle timeout (60 s on AWS), or it answers 502. */
  keepAliveTimeoutMs: 5_000,
  /** Choice: a plain HTTP connection costs some 30 KiB, so that ten thousand fit in 300 MB. */
  maxConnections: 10_000,
  /** 408 is the code for it; on routes whose sender never retries a 4xx (Alertmanager) choose 503. */
  bodyStatus: 408,
  /** Probes come from the kubelet, outside the pod's loopback. */
  healthHost: '0.0.0.0',
} as const;

/** A timer above this fires at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Options of `createLifecycle`. */
export interface LifecycleOptions {
  /** How long requests and jobs in flight may take after the listener is closed. @defaultValue 30_000 */
  drainTimeoutMs?: number | undefined;
  /** How long to go on accepting after readiness has turned 503. @defaultValue 0 */
  readinessDelayMs?: number | undefined;
  /** How long one component may take to start. @defaultValue 60_000 */
  startTimeoutMs?: number | undefined;
  /** How long all stops together may take. @defaultValue 10_000 */
  stopTimeoutMs?: number | undefined;
  /** The longest that an idle keep-alive connection is kept once the listener is closed. @defaultValue 5_000 */
  keepAliveGraceMs?: number | undefined;
  /** Serve `/livez`, `/readyz` and `/health` on a listener of their own, up before the first component. */
  health?: { port: number; host?: string | undefined } | undefined;
  /** Told everything that happens; it observes, it can't change anything. */
  onEvent?: ((event: LifecycleEvent) => void) | undefined;
  /** The time source. @defaultValue the system's */
  clock?: Clock | undefined;
}

/** {@link LifecycleOptions} with every default filled in. */
export interface ResolvedLifecycleOptions {
  readonly drainTimeoutMs: number;
  readonly readinessDelayMs: number;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly keepAliveGraceMs: number;
  readonly health: { readonly port: number; readonly host: string } | undefined;
  readonly onEvent: ((event: LifecycleEvent) => void) | undefined;
  readonly clock: Clock;
}

/** Checks the options of `createLifecycle`, throws `LIFECYCLE_INVALID_OPTION` for the first bad one. */
export function resolveLifecycleOptions(options: LifecycleOptions): ResolvedLifecycleOptions {
  const { health } = options;
  if (health !== undefined) {
    if (typeof health !== 'object' || health === null) refuse('health', 'must be { port, host? }', health);
    if (!Number.isInteger(health.port) || health.port < 0 || health.port > 65_535)
      refuse('health.port', 'must be an integer from 0 to 65535', health.port);
  }
  return {
    drainTimeoutMs: duration('drainTimeoutMs', options.drainTimeoutMs, DEFAULTS.drainTimeoutMs),
    readinessDelayMs: duration('readinessDelayMs', options.readinessDelayMs, DEFAULTS.readinessDelayMs),
    startTimeoutMs: duration('startTimeoutMs', options.startTimeoutMs, DEFAULTS.startTimeoutMs),
    stopTimeoutMs: duration('stopTimeoutMs', options.stopTimeoutMs, DEFAULTS.stopTimeoutMs),
    keepAliveGraceMs: duration('keepAliveGraceMs', options.keepAliveGraceMs, DEFAULTS.keepAliveGraceMs),
    health: health && { port: health.port, host: health.host ?? DEFAULTS.healthHost },
    onEvent: callback('onEvent', options.onEvent),
    clock: options.clock ?? systemClock,
  };
}

/** A duration option: finite, from 0 to 2^31-1 milliseconds. */
export function duration(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= 0 && value <= LONGEST_TIMER_MS))
    refuse(option, `must be a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`, value);
  return value;
}

/** An optional function option. */
export function callback<F extends (...args: never[]) => unknown>(option: string, value: F | undefined): F | undefined {
  if (value !== undefined && typeof value !== 'function') refuse(option, 'must be a function', value);
  return value;
}

/** Throws `LIFECYCLE_INVALID_OPTION` naming the option, the rule and what was received. */
export function refuse(option: string, rule: string, received: unknown): never {
  const shown = typeof received === 'string' ? JSON.stringify(received) : String(received);
  throw new LifecycleError('LIFECYCLE_INVALID_OPTION', `option ${option} ${rule}, received ${shown}`, { option });
}
