import type { Clock } from '@holdfast/clock';
import { LifecycleError, reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';

/** Background work that the drain waits for. */
export interface Jobs {
  run<T>(name: string, fn: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Resolves when no job runs. */
  idle(): Promise<void>;
  /** Aborts the signal of every job that still runs and returns their names. */
  abort(reason: unknown): string[];
  /** From now on `run` rejects `LIFECYCLE_STOPPING`. */
  refuse(): void;
}

/** Creates the jobs of one lifecycle. */
export function createJobs(clock: Clock, emit: (event: LifecycleEvent) => void): Jobs {
  const running = new Map<AbortController, { name: string; startedMs: number }>();
  let refused = false;
  let waiting: (() => void)[] = [];

  return {
    async run(name, fn) {
      if (refused)
        throw new LifecycleError('LIFECYCLE_STOPPING', `job '${name}' was not started: components are being stopped`);
      const controller = new AbortController();
      const startedMs = clock.monotonic();
      running.set(controller, { name, startedMs });
      try {
        return await fn(controller.signal);
      } catch (error) {
        emit({ type: 'job.failed', job: name, ms: Math.round(clock.monotonic() - startedMs), error: reasonOf(error) });
        throw error;
      } finally {
        running.delete(controller);
        if (running.size === 0) {
          for (const wake of waiting) wake();
          waiting = [];
        }
      }
    },
    idle: () => (running.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    abort(reason) {
      const left = [...running];
      for (const [controller, { name, startedMs }] of left) {
        emit({ type: 'job.abandoned', job: name, ms: Math.round(clock.monotonic() - startedMs) });
        controller.abort(reason);
      }
      return left.map(([, { name }]) => name);
    },
    refuse() {
      refused = true;
    },
  };
}
