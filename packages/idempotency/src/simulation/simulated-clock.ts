import type { Clock } from '@holdfast/clock';

/** A clock that the simulation moves. */
export interface SimulatedClock extends Clock {
  /** Lets time pass, running what falls due. A clock over real time waits. */
  tick(ms: number): void | Promise<void>;
  /** Moves the wall clock alone, as an NTP step or a person would. */
  jump(ms: number): void;
}

/** A clock that stands still until it is moved, and then runs what falls due at once. */
export function simulatedClock(): SimulatedClock {
  let elapsed = 0;
  let wall = 1_700_000_000_000;
  const timers = new Set<{ due: number; fn: () => void }>();
  const nextDue = (until: number): { due: number; fn: () => void } | undefined => {
    let first: { due: number; fn: () => void } | undefined;
    for (const timer of timers) if (timer.due <= until && (!first || timer.due < first.due)) first = timer;
    return first;
  };
  return {
    now: () => wall + elapsed,
    monotonic: () => elapsed,
    schedule(ms, fn) {
      const timer = { due: elapsed + Math.max(0, ms), fn };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    tick(ms) {
      const until = elapsed + ms;
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        timers.delete(timer);
        elapsed = Math.max(elapsed, timer.due);
        timer.fn();
      }
      elapsed = until;
    },
    jump(ms) {
      wall += ms;
    },
  };
}
