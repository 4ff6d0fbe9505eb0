import type { Clock } from '@holdfast/clock';
import { dependentsOf, startOrder } from './dependency-graph.js';
import { isLifecycleError, LifecycleError, reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';
import { within } from './within.js';

/** Where a component stands. */
export type ComponentState = 'added' | 'starting' | 'started' | 'failed' | 'stopping' | 'stopped' | 'stop-failed';

/** Given to `start`. */
export interface StartContext {
  /** Aborts when the start is abandoned: another component failed, or the shutdown came first. */
  readonly signal: AbortSignal;
}

/** Given to `stop`. */
export interface StopContext {
  /** Aborts when the time for this stop is spent. */
  readonly signal: AbortSignal;
  /** Why everything stops. */
  readonly reason: string;
}

/** A component as it was declared, with its times filled in. */
export interface Declared {
  readonly name: string;
  dependsOn: readonly string[];
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly start: (ctx: StartContext) => unknown;
  readonly stop: (value: unknown, ctx: StopContext) => unknown;
  readonly check: ((value: unknown) => unknown) | undefined;
  state: ComponentState;
  value: unknown;
}

/** One timed step of a shutdown. */
export interface StopStep {
  readonly name: string;
  readonly ms: number;
  readonly outcome: 'ok' | 'failed' | 'overran';
  readonly error?: string | undefined;
}

/** Everything that starting and stopping needs to know of its lifecycle. */
export interface Surroundings {
  readonly clock: Clock;
  readonly emit: (event: LifecycleEvent) => void;
  /** How long an abandoned start may go on before it is given up. */
  readonly stopTimeoutMs: number;
}

/**
 * Starts every component after those it depends on, in parallel where they are independent. Resolves when all have
 * started; rejects with the first failure as soon as every start that was under way has settled or been given up, so that
 * what had started can be undone.
 */
export async function startAll(
  components: readonly Declared[],
  controller: AbortController,
  around: Surroundings,
): Promise<void> {
  const order = startOrder(components);
  const byName = new Map(components.map((component) => [component.name, component]));
  const starts = new Map<string, Promise<boolean>>();
  let failure: { error: unknown } | undefined;

  const abandon = (error: unknown): void => {
    failure ??= { error };
    if (!controller.signal.aborted) controller.abort(error);
  };
  const startAfter = async (component: Declared): Promise<boolean> => {
    const ready = await Promise.all(component.dependsOn.map((name) => starts.get(name)!));
    if (!ready.every(Boolean) || controller.signal.aborted) return false;
    try {
      await startOne(component, controller.signal, around);
      return true;
    } catch (error) {
      abandon(error);
      return false;
    }
  };

  for (const name of order) starts.set(name, startAfter(byName.get(name)!));
  await Promise.all(starts.values());
  if (controller.signal.aborted) throw failure ? failure.error : controller.signal.reason;
}

async function startOne(component: Declared, signal: AbortSignal, around: Surroundings): Promise<void> {
  const { clock, emit } = around;
  const { name, startTimeoutMs } = component;
  const began = clock.monotonic();
  component.state = 'starting';
  const own = new AbortController();
  const onAbort = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  let givenUp = false;
  const running = (async () => component.start({ signal: own.signal }))();
  // What a start brings after it was given up is closed again, it would otherwise leak.
  running.then(
    (value) => {
      if (givenUp)
        void Promise.resolve(component.stop(value, { signal: own.signal, reason: 'start was given up' })).catch(
          () => undefined,
        );
    },
    () => undefined,
  );
  try {
    component.value = await within(
      untilGivenUp(running, signal, around),
      startTimeoutMs,
      clock,
      new LifecycleError('LIFECYCLE_START_TIMEOUT', `'${name}' did not start within ${startTimeoutMs} ms`, {
        component: name,
        timeoutMs: startTimeoutMs,
      }),
    );
    component.state = 'started';
    emit({ type: 'component.started', component: name, ms: Math.round(clock.monotonic() - began) });
  } catch (cause) {
    givenUp = true;
    component.state = 'failed';
    own.abort(cause);
    // Whatever it rejects with after the abort is how it was abandoned; only one that had to be given up has failed.
    if (signal.aborted && !isLifecycleError(cause, 'LIFECYCLE_START_TIMEOUT')) throw signal.reason;
    emit({
      type: 'component.start_failed',
      component: name,
      ms: Math.round(clock.monotonic() - began),
      error: reasonOf(cause),
    });
    throw new LifecycleError('LIFECYCLE_START_FAILED', `component '${name}' failed to start: ${reasonOf(cause)}`, {
      component: name,
      cause,
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** `running`, but rejects `stopTimeoutMs` after `signal` aborts: a start that ignores its signal is given up. */
function untilGivenUp<T>(running: Promise<T>, signal: AbortSignal, { clock, stopTimeoutMs }: Surroundings): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => undefined;
    const onAbort = (): void => {
      const late = new LifecycleError(
        'LIFECYCLE_START_TIMEOUT',
        `it ignored its abort signal for ${stopTimeoutMs} ms and was given up`,
        { timeoutMs: stopTimeoutMs, cause: signal.reason },
      );
      cancel = clock.schedule(stopTimeoutMs, () => reject(late), { ref: true });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    running.then(resolve, reject).finally(() => {
      cancel();
      signal.removeEventListener('abort', onAbort);
    });
  });
}

/**
 * Stops whatever is started, each component once all that depend on it have ended, in parallel where they are independent.
 * Never rejects: one that throws or hangs is named in its step, and those it depends on are stopped all the same.
 */
export async function stopAll(
  components: readonly Declared[],
  reason: string,
  budgetMs: number,
  around: Surroundings,
): Promise<StopStep[]> {
  const { clock } = around;
  const until = clock.monotonic() + budgetMs;
  const dependents = dependentsOf(components);
  const stops = new Map<string, Promise<void>>();
  const steps: StopStep[] = [];

  const stopAfter = async (component: Declared): Promise<void> => {
    await Promise.all((dependents.get(component.name) ?? []).map((name) => stops.get(name)!));
    if (component.state !== 'started') return;
    const timeoutMs = Math.max(0, Math.min(component.stopTimeoutMs, until - clock.monotonic()));
    steps.push(await stopOne(component, reason, timeoutMs, around));
  };
  const byName = new Map(components.map((component) => [component.name, component]));
  for (const name of startOrder(components).reverse()) stops.set(name, stopAfter(byName.get(name)!));
  await Promise.all(stops.values());
  return steps;
}

async function stopOne(
  component: Declared,
  reason: string,
  timeoutMs: number,
  { clock, emit }: Surroundings,
): Promise<StopStep> {
  const { name } = component;
  const began = clock.monotonic();
  const took = (): number => Math.round(clock.monotonic() - began);
  const controller = new AbortController();
  const late = new LifecycleError(
    'LIFECYCLE_STOP_TIMEOUT',
    `'${name}' did not stop within ${Math.round(timeoutMs)} ms`,
    {
      component: name,
      timeoutMs,
    },
  );
  component.state = 'stopping';
  try {
    const stopping = (async () => component.stop(component.value, { signal: controller.signal, reason }))();
    await within(stopping, timeoutMs, clock, late);
    component.state = 'stopped';
    emit({ type: 'component.stopped', component: name, ms: took() });
    return { name, ms: took(), outcome: 'ok' };
  } catch (error) {
    component.state = 'stop-failed';
    if (error === late) {
      controller.abort(late);
      emit({ type: 'component.stop_overran', component: name, ms: took() });
      return { name, ms: took(), outcome: 'overran', error: late.message };
    }
    emit({ type: 'component.stop_failed', component: name, ms: took(), error: reasonOf(error) });
    return { name, ms: took(), outcome: 'failed', error: reasonOf(error) };
  }
}

/** Closes a value that came with no `stop`: its `close()`, else its `Symbol.asyncDispose`. */
export function closeValue(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  const closable = value as { close?: unknown; [Symbol.asyncDispose]?: unknown };
  if (typeof closable.close === 'function') return (closable.close as () => unknown).call(value);
  const dispose = closable[Symbol.asyncDispose];
  return typeof dispose === 'function' ? (dispose as () => unknown).call(value) : undefined;
}
