import type { AddressInfo } from 'node:net';
import { createEmitter } from '@holdfast/observe';
import { closeValue, type Declared, startAll, stopAll } from './components.js';
import type { Component, ComponentOptions, Lifecycle, ShutdownReport } from './contract.js';
import { startOrder } from './dependency-graph.js';
import { drainAll, NOTHING_DRAINED } from './drain.js';
import { isLifecycleError, LifecycleError, reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';
import { EXIT } from './exit-code.js';
import { exitCodeOf, tell } from './exit-report.js';
import { openHealthListener } from './health-listener.js';
import { createHealth } from './health-report.js';
import { declareHttp, type ManagedServer } from './http-component.js';
import { createJobs } from './jobs.js';
import { type Happening, nextState, type State } from './lifecycle-state.js';
import { callback, duration, type LifecycleOptions, refuse, resolveLifecycleOptions } from './options.js';
import { processRegistry } from './process-registry.js';

const HANDLED_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

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

  /** Runs without a pause up to the first await: the listener is being closed when `shutdown` returns. */
  const shutDown = async (reason: string): Promise<ShutdownReport> => {
    const beganMs = clock.monotonic();
    emit({ type: 'lifecycle.shutdown_requested', reason });
    const before = state;
    let drained = NOTHING_DRAINED;
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
      drained = await drainAll({ servers, jobs, signal: drainSignal, ...settings, emit });
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
