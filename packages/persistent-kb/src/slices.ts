import type { Clock } from '@holdfast/clock';

/** How long one slice of long work may hold the event loop, milliseconds. Choice: a tenth of what we promise at most. */
const SLICE_MS = 10;
/** Steps between two looks at the clock. */
const STEP = 16;

/** Lets the event loop turn once a slice is used up: `await` what it gives, when it gives something. */
export function slicer(clock: Clock): () => Promise<void> | undefined {
  let steps = 0;
  let end = clock.monotonic() + SLICE_MS;
  return () => {
    if (++steps % STEP !== 0 || clock.monotonic() < end) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        end = clock.monotonic() + SLICE_MS;
        resolve();
      });
    });
  };
}

/**
 * Runs `work` to its end, letting the event loop turn between slices.
 *
 * @throws whatever `work` throws; `signal.reason` when it aborts between two slices.
 */
export async function inSlices<T>(
  work: Iterable<T>,
  clock: Clock,
  each: (part: T) => void,
  signal?: AbortSignal,
): Promise<void> {
  const iterator = work[Symbol.iterator]();
  for (;;) {
    signal?.throwIfAborted();
    const end = clock.monotonic() + SLICE_MS;
    for (let n = 1; n % STEP !== 0 || clock.monotonic() < end; n++) {
      const next = iterator.next();
      if (next.done) return;
      each(next.value);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
