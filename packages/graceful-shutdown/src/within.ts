import type { Clock } from '@holdfast/clock';
import pTimeout from 'p-timeout';

/**
 * What `promise` settles with, or rejects with `late` after `ms` on `clock`. The timer holds the process: whoever waits for
 * something that never comes must be told, not end in an empty event loop.
 */
export function within<T>(promise: PromiseLike<T>, ms: number, clock: Clock, late: Error): Promise<T> {
  return pTimeout(promise, {
    milliseconds: Math.max(1, ms),
    message: late,
    customTimers: {
      setTimeout: ((fn: () => void, after: number) => clock.schedule(after, fn, { ref: true })) as never,
      clearTimeout: ((cancel: (() => void) | undefined) => cancel?.()) as never,
    },
  });
}
