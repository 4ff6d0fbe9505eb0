import { watch } from 'node:fs';
import type { Clock } from '@holdfast/clock';

/** Rings when the watched ticket is touched or removed. */
export interface Bell {
  /**
   * Resolves at the next ring, at once if it has rung since the last rest, or after `ms`; rejects with `signal.reason`.
   * Keeps the process alive meanwhile.
   */
  rest(ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void>;
  close(): void;
}

/**
 * Watches one file. Where that is impossible (no inotify watch left, a file system without events) the bell never rings and
 * a rest lasts its time: waiting is then as exact as the looks are frequent, and nothing else changes.
 */
export function bellOf(path: string): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rung = true;
    wake?.();
  };
  let close = (): void => {};
  try {
    const watcher = watch(path, { persistent: false }, ring);
    watcher.on('error', ring);
    close = () => watcher.close();
  } catch {
    // ENOSPC, EMFILE: polling alone.
  }
  return {
    rest(ms, clock, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (rung) {
        rung = false;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const settle = (how: () => void): void => {
          cancel();
          signal?.removeEventListener('abort', onAbort);
          wake = undefined;
          rung = false;
          how();
        };
        const onAbort = (): void => settle(() => reject(signal?.reason));
        const cancel = clock.schedule(ms, () => settle(resolve), { ref: true });
        wake = () => settle(resolve);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
    close: () => close(),
  };
}
