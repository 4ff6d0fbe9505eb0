import type { Clock } from '@holdfast/clock';

/** How waits grow: `minMs * factor^(attempt - 1)`, capped at `maxMs`. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
  readonly factor: number;
}

/**
 * The wait before the try after `attempt` (counted from 1), in milliseconds, with full jitter: uniform in [0, cap].
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ for why full jitter.
 */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const cap = Math.min(backoff.maxMs, backoff.minMs * backoff.factor ** (attempt - 1));
  return Math.round(random() * cap);
}

/** Resolves after `ms` on `clock`; rejects with `signal.reason` if `signal` aborts first. Leaves no listener or timer. */
export function sleep(
  ms: number,
  clock: Clock,
  options: { signal?: AbortSignal | undefined; ref?: boolean } = {},
): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.schedule(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      { ref: options.ref ?? false },
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
