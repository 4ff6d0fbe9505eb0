import type { AddressInfo } from 'node:net';
import { createEmitter } from '@holdfast/observe';
import {
  type ComponentState,
  closeValue,
  type Declared,
  type StartContext,
  type StopContext,
  type StopStep,
  startAll,
  stopAll,
} from './components.js';
import { startOrder } from './dependency-graph.js';
import { isLifecycleError, LifecycleError, reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';
import { EXIT } from './exit-code.js';
import { openHealthListener } from './health-listener.js';
import { createHealth, type Health } from './health-report.js';
import { declareHttp, type HttpOptions, type ManagedServer } from './http-component.js';
import { createJobs } from './jobs.js';
import { type Happening, nextState, type State } from './lifecycle-state.js';
import { callback, duration, type LifecycleOptions, refuse, resolveLifecycleOptions } from './options.js';
import { processRegistry } from './process-registry.js';
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

const HANDLED_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
/** How long an aborted job has to put its work down before components are stopped. */
const JOB_ABORT_GRACE_MS = 500;

/**
 * Creates a lifecycle. Does no I/O and touches nothing global until `start`, `run` or `installSignals` is called.
 *
 * Guarantees: start order, reverse stop, no accepted request lost and no connection reset by a clean drain, an end within
 * `readinessDelayMs + drainTimeoutMs + stopTimeoutMs` (+ 0.5 s for aborted jobs). Not guaranteed: connections that the
 * kernel has queued and node never saw are reset when the listener closes (use `readinessDelayMs`); a client that believes
 * in a keepAliveTimeout above `keepAliveGraceMs` may lose a request that races the close.
 *
 * @throws LifecycleError `LIFECYCLE_INVALID_OPTION`
 * @example
 * const lifecycle = createLifecycle({ drainTimeoutMs: 30_000 });
 * const kb = lifecycle.add('kb', { start: () => openKb({ store: fileStore({ dir: './data/kb' }) }) });
 * lifecycle.http('http', createServer(app), { listen: { port: 3000 }, dependsOn: ['kb'] });
 * await lifecycle.run();
 */
export function createLifecycle(options: LifecycleOptions = {}): Lifecycle {
  const settings = resolveLifecycleOptions(options);
  const { clock } = settings;
  const emit = createEmitter<LifecycleEvent>('graceful-shutdown', settings.onEvent);
  const around = { clock, emit, stopTimeoutMs: settings.stopTimeoutMs };
  const components: Declared[] = [];
  const servers: ManagedServer[] = [];
  const jobs = createJobs(clock, emit);
  const drainSignal = new AbortController();
  const startController = new AbortController();
  let state: State = 'idle';
  let starting: Promise<void> | undefined;
  let shuttingDown: Promise<ShutdownReport> | undefined;
  let closeHealth: (() => Promise<void>) | undefined;

  const happen = (happening: Happening): boolean => {
    const to = nextState(state, happening);
    if (to === undefined) return false;
    const from = state;
    state = to;
    emit({ type: 'lifecycle.state_changed', from, to });
    return true;
  };

  const declare = (name: string, dependsOn: readonly string[] | undefined): void => {
    if (typeof name !== 'string' || name === '') refuse('name', 'must be a non-empty string', name);
    if (state !== 'idle')
      throw new LifecycleError(
        'LIFECYCLE_ALREADY_STARTED',
        `'${name}' was added after start(): add everything before`,
        {
          component: name,
        },
      );
    if (components.some((component) => component.name === name))
      throw new LifecycleError('LIFECYCLE_DUPLICATE_NAME', `a component named '${name}' was already added`, {
        component: name,
      });
    if (dependsOn !== undefined && (!Array.isArray(dependsOn) || dependsOn.some((each) => typeof each !== 'string')))
      refuse('dependsOn', `of '${name}' must be an array of component names`, dependsOn);
  };

  const handleOf = <T>(declared: Declared): Component<T> => ({
    name: declared.name,
    get state() {
      return declared.state;
    },
    get value() {
      if (declared.state === 'started' || declared.state === 'stopping') return declared.value as T;
      throw new LifecycleError(
        'LIFECYCLE_NOT_STARTED',
        `component '${declared.name}' has no value: it is ${declared.state}`,
        {
          component: declared.name,
        },
      );
    },
  });

  const startEverything = async (): Promise<void> => {
    startOrder(components);
    happen('start');
    try {
      if (settings.health) closeHealth = await openHealthListener(lifecycle, settings.health, emit);
      await startAll(components, startController, around);
    } catch (error) {
      // A shutdown that came meanwhile undoes; a failure undoes here.
      if (happen('start-failed')) {
        await stopAll(components, 'start failed', settings.stopTimeoutMs, around);
        await endServers();
      }
      throw error;
    }
    happen('started');
  };

  const endServers = async (): Promise<void> => {
    for (const server of servers) server.supervisor.detach();
    await closeHealth?.();
  };

  const drainEverything = async (): Promise<
    Pick<ShutdownReport, 'drainMs' | 'drainTimedOut' | 'servers' | 'abandonedJobs'>
  > => {
    const startedMs = clock.monotonic();
    const deadlineMs = startedMs + settings.drainTimeoutMs;
    const order = { startedMs, deadlineMs, keepAliveGraceMs: settings.keepAliveGraceMs };
    const drains = servers.map(async ({ name, supervisor }) => {
      const atStart = { connections: supervisor.connections(), inFlight: supervisor.inFlight() };
      const draining = supervisor.drain(order);
      emit({ type: 'drain.started', component: name, ...atStart });
      const result = await draining;
      const cut = result.cut.stalled + result.cut.timeout;
      const ms = Math.round(clock.monotonic() - startedMs);
      emit({ type: 'drain.ended', component: name, ms, timedOut: result.timedOut, cut });
      return [name, result] as const;
    });
    drainSignal.abort(new LifecycleError('LIFECYCLE_STOPPING', 'the service is shutting down'));
    let abandonedJobs: string[] = [];
    const jobsInTime = new Promise<void>((resolve) => {
      const cancel = clock.schedule(
        settings.drainTimeoutMs,
        () => {
          abandonedJobs = jobs.abort(new LifecycleError('LIFECYCLE_STOPPING', 'drainTimeoutMs is spent'));
          if (abandonedJobs.length > 0) clock.schedule(JOB_ABORT_GRACE_MS, resolve, { ref: true });
          void jobs.idle().then(resolve);
        },
        { ref: true },
      );
      // Requests in flight may still start jobs, so jobs are counted once the servers are quiet.
      void Promise.all(drains)
        .then(() => jobs.idle())
        .then(() => {
          cancel();
          resolve();
        });
    });
    const results = await Promise.all(drains);
    await jobsInTime;
    jobs.refuse();
    return {
      drainMs: Math.round(clock.monotonic() - startedMs),
      drainTimedOut: abandonedJobs.length > 0 || results.some(([, result]) => result.timedOut),
      servers: Object.fromEntries(results),
      abandonedJobs,
    };
  };

  /** Runs without a pause up to the first await: the listener is being closed when `shutdown` returns. */
  const shutDown = async (reason: string): Promise<ShutdownReport> => {
    const beganMs = clock.monotonic();
    emit({ type: 'lifecycle.shutdown_requested', reason });
    const before = state;
    let drained: Awaited<ReturnType<typeof drainEverything>> = {
      drainMs: 0,
      drainTimedOut: false,
      servers: {},
      abandonedJobs: [],
    };
    let startFailed = false;
    if (before === 'starting') {
      const abandoned = new LifecycleError('LIFECYCLE_STOPPING', `shut down while starting (${reason})`);
      happen('shutdown');
      startController.abort(abandoned);
      await starting?.catch((error: unknown) => {
        startFailed = error !== abandoned;
      });
      drainSignal.abort(abandoned);
      jobs.refuse();
    } else if (before === 'failed') {
      startFailed = true;
      await starting?.catch(() => undefined);
    } else if (before === 'ready') {
      happen('shutdown');
      if (settings.readinessDelayMs > 0) {
        for (const { supervisor } of servers) supervisor.announce();
        await new Promise<void>((resolve) => void clock.schedule(settings.readinessDelayMs, resolve, { ref: true }));
      }
      drained = await drainEverything();
      happen('drained');
    } else happen('shutdown');
    const steps = await stopAll(components, reason, settings.stopTimeoutMs, around);
    await endServers();
    happen('stopped');
    const clean = !startFailed && !drained.drainTimedOut && steps.every(({ outcome }) => outcome === 'ok');
    const exitCode = clean ? EXIT.clean : EXIT.unclean;
    return { reason, clean, exitCode, totalMs: Math.round(clock.monotonic() - beganMs), ...drained, steps };
  };

  const lifecycle: Lifecycle = {
    add<T>(name: string, given: ComponentOptions<T>) {
      declare(name, given.dependsOn);
      const stop = callback(`stop of '${name}'`, given.stop);
      const start = callback(`start of '${name}'`, given.start);
      const check = callback(`check of '${name}'`, given.check);
      const declared: Declared = {
        name,
        dependsOn: given.dependsOn ?? [],
        startTimeoutMs: duration(`startTimeoutMs of '${name}'`, given.startTimeoutMs, settings.startTimeoutMs),
        stopTimeoutMs: duration(`stopTimeoutMs of '${name}'`, given.stopTimeoutMs, settings.stopTimeoutMs),
        start: (ctx) => start?.(ctx),
        stop: (value, ctx) => (stop ? stop(value as T, ctx) : closeValue(value)),
        check: check as ((value: unknown) => unknown) | undefined,
        state: 'added',
        value: undefined,
      };
      components.push(declared);
      return handleOf<T>(declared);
    },
    http(name, server, given = {}) {
      declare(name, given.dependsOn);
      const { declared, managed } = declareHttp(name, server, given, settings, components, emit);
      components.push(declared);
      servers.push(managed);
      return handleOf<AddressInfo>(declared);
    },
    job: (name, fn) => jobs.run(name, fn),
    signal: drainSignal.signal,
    get state() {
      return state;
    },
    start() {
      if (state !== 'idle' || starting)
        return Promise.reject(new LifecycleError('LIFECYCLE_ALREADY_STARTED', `start() was called while ${state}`));
      starting = startEverything();
      return starting;
    },
    shutdown(reason = 'shutdown() was called') {
      shuttingDown ??= shutDown(reason);
      return shuttingDown;
    },
    health: createHealth(() => state, components, clock, emit),
    installSignals({ signals = HANDLED_SIGNALS } = {}) {
      return processRegistry().join({ shutdown: exitCodeOf(lifecycle), exits: false, signals, uncaught: false });
    },
    async run() {
      const registry = processRegistry();
      registry.join({ shutdown: exitCodeOf(lifecycle, tell), exits: true, signals: HANDLED_SIGNALS, uncaught: true });
      try {
        await lifecycle.start();
      } catch (error) {
        const abandoned = isLifecycleError(error, 'LIFECYCLE_STOPPING');
        if (!abandoned) tell(`start failed: ${reasonOf(error)}`);
        registry.shutdownAll('start failed', abandoned ? EXIT.clean : EXIT.unclean);
        await new Promise<never>(() => undefined);
      }
    },
    async [Symbol.asyncDispose]() {
      await lifecycle.shutdown('disposed');
    },
  };
  return lifecycle;
}

/** The shutdown as the process registry wants it: never rejects, and what went wrong is told. */
function exitCodeOf(
  lifecycle: Lifecycle,
  tellUser: (line: string) => void = () => undefined,
): (reason: string) => Promise<number> {
  return (reason) =>
    lifecycle.shutdown(reason).then(
      (report) => {
        if (report.drainTimedOut) tellUser(`shutdown: the drain timed out after ${report.drainMs} ms`);
        for (const job of report.abandonedJobs) tellUser(`shutdown: job '${job}' was abandoned`);
        for (const { name, error } of report.steps) if (error !== undefined) tellUser(`shutdown: '${name}': ${error}`);
        return report.exitCode;
      },
      (error: unknown) => {
        tellUser(`shutdown failed: ${reasonOf(error)}`);
        return EXIT.unclean;
      },
    );
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
