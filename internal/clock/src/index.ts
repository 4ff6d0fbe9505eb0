/**
 * Time as a collaborator. Packages take `clock` as an option and never call `Date.now()`, `performance.now()` or
 * `setTimeout` themselves, so that tests decide when time passes.
 */
export interface Clock {
  /** Wall clock: epoch milliseconds. Only for what people read; it may jump. */
  now(): number;
  /** Monotonic clock: milliseconds since an arbitrary origin, never goes back. For every duration, lease and timeout. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms` milliseconds (any finite number >= 0, also above 2^31-1) and returns its cancel function.
   * The timer does not keep the process alive unless `ref` is true.
   */
  schedule(ms: number, fn: () => void, options?: { ref?: boolean }): () => void;
}

/** setTimeout fires at once for a delay above this: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(ms, fn, options) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const step = Math.min(left, LONGEST_TIMEOUT_MS);
      timer = setTimeout(() => (left > step ? arm(left - step) : fn()), step);
      if (options?.ref !== true) timer.unref();
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves both clocks by `ms`, running what falls due in order and letting promise callbacks run after each. */
  advance(ms: number): Promise<void>;
  /** Moves only the wall clock, as an NTP step or a person would. */
  jumpWall(ms: number): void;
  /** How many timers are waiting. */
  readonly pending: number;
}

/** Creates a {@link ManualClock} that starts at epoch `startMs` (default 1,700,000,000,000). */
export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsed = 0;
  let wallOffset = startMs;
  let sequence = 0;
  const timers = new Map<number, { due: number; fn: () => void }>();

  const nextDue = (until: number): [number, { due: number; fn: () => void }] | undefined => {
    let best: [number, { due: number; fn: () => void }] | undefined;
    for (const entry of timers) if (entry[1].due <= until && (!best || entry[1].due < best[1].due)) best = entry;
    return best;
  };

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    schedule(ms, fn) {
      const id = ++sequence;
      timers.set(id, { due: elapsed + Math.max(0, ms), fn });
      return () => void timers.delete(id);
    },
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (let next = nextDue(target); next; next = nextDue(target)) {
        timers.delete(next[0]);
        elapsed = Math.max(elapsed, next[1].due);
        next[1].fn();
        await settle();
      }
      elapsed = target;
    },
    jumpWall(ms) {
      wallOffset += ms;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Lets every promise callback and immediate that is ready run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
