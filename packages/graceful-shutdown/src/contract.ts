import type { AddressInfo } from 'node:net';
import type { ComponentState, StartContext, StopContext, StopStep } from './components.js';
import type { Health } from './health-report.js';
import type { HttpOptions } from './http-component.js';
import type { State } from './lifecycle-state.js';
import type { ServerLike } from './server-kind.js';
import type { DrainResult } from './supervisor.js';

/** How a component is started, stopped and checked. Every part may be left out. */
export interface ComponentOptions<T> {
  /** Brings the component up; what it returns is the component's `value`. */
  start?: ((ctx: StartContext) => T | PromiseLike<T>) | undefined;
  /** Takes it down. @defaultValue the value's `close()`, else its `Symbol.asyncDispose` */
  stop?: ((value: T, ctx: StopContext) => unknown) | undefined;
  /** Names of the components it needs: started before it, stopped after it. */
  dependsOn?: readonly string[] | undefined;
  /** Milliseconds. @defaultValue the lifecycle's */
  startTimeoutMs?: number | undefined;
  /** Milliseconds, within the one budget of the lifecycle. @defaultValue the lifecycle's */
  stopTimeoutMs?: number | undefined;
  /** Synchronous, at most once a second, for `/health`: a throw means degraded, with its message. */
  check?: ((value: T) => unknown) | undefined;
}

/** A component that was added. */
export interface Component<T> {
  readonly name: string;
  /** What `start` returned. @throws LifecycleError `LIFECYCLE_NOT_STARTED` unless it is started. */
  readonly value: T;
  readonly state: ComponentState;
}

/** How a shutdown went. */
export interface ShutdownReport {
  readonly reason: string;
  /** Nothing failed, overran or was cut off. */
  readonly clean: boolean;
  /** 0 or 1, as fixed. */
  readonly exitCode: number;
  readonly totalMs: number;
  /** Milliseconds from the listener's close until nothing was in flight any more. */
  readonly drainMs: number;
  readonly drainTimedOut: boolean;
  /** What each server's drain did. */
  readonly servers: Readonly<Record<string, Readonly<DrainResult>>>;
  /** Jobs that still ran at the end of `drainTimeoutMs`. */
  readonly abandonedJobs: readonly string[];
  /** Every stop in the order in which they ended. */
  readonly steps: readonly StopStep[];
}

/** What `installSignals` takes. */
export interface SignalOptions {
  /** @defaultValue SIGTERM and SIGINT */
  signals?: readonly NodeJS.Signals[] | undefined;
}

/**
 * Starts a service's parts in order, and takes them down so that nothing accepted is lost. Safe to call from anywhere in
 * one process; several lifecycles, and several copies of this package, share the process's signals.
 */
export interface Lifecycle extends AsyncDisposable {
  /** Adds a component. @throws LifecycleError `LIFECYCLE_DUPLICATE_NAME`, `LIFECYCLE_ALREADY_STARTED`, `LIFECYCLE_INVALID_OPTION` */
  add<T>(name: string, options: ComponentOptions<T>): Component<T>;
  /**
   * Adds a server: it listens after what it depends on (left out: after everything added before it) and is drained first.
   * Takes servers of node:http, https and http2 (express, koa and hono give theirs) or a fastify app.
   */
  http(name: string, server: ServerLike, options?: HttpOptions): Component<AddressInfo>;
  /**
   * Runs background work that the drain waits for. Its signal aborts when `drainTimeoutMs` is spent. Rejects as `fn` does,
   * or with `LIFECYCLE_STOPPING` once components are being stopped.
   */
  job<T>(name: string, fn: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Aborts when the drain starts: time for streams and WebSockets to say goodbye. */
  readonly signal: AbortSignal;
  /** Where the lifecycle stands. */
  readonly state: State;
  /**
   * Resolves when everything has started. Rejects with `LIFECYCLE_START_FAILED` after what had started was stopped again,
   * `LIFECYCLE_CYCLE` or `LIFECYCLE_UNKNOWN_COMPONENT` before anything was started, `LIFECYCLE_STOPPING` when shut down meanwhile.
   */
  start(): Promise<void>;
  /** Drains and stops, beginning in this very call. Later calls join the first. */
  shutdown(reason?: string): Promise<ShutdownReport>;
  /** The state of the whole and of every component. */
  health(): Health;
  /** Shuts down on SIGTERM and SIGINT and sets `process.exitCode`; exits only when forced by a second signal. Returns its undo. */
  installSignals(options?: SignalOptions): () => void;
  /**
   * Starts, handles signals and uncaught errors, and ends the process with an honest exit code. Resolves when everything
   * has started; when the start fails it writes the reason to stderr and exits 1. The only part that writes anywhere.
   */
  run(): Promise<void>;
}
