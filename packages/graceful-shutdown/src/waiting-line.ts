import type { Clock } from '@holdfast/clock';

/** Somebody who waits in a {@link WaitingLine}. */
export interface Waiting {
  dueMs: number;
  line: WaitingLine<never> | undefined;
  before: Waiting | undefined;
  after: Waiting | undefined;
}

/** Those who wait equally long, the longest waiting first, with one timer for all. Joining and leaving are constant time. */
export interface WaitingLine<W extends Waiting> {
  join(one: W): void;
  leave(one: W): void;
}

/**
 * Creates a line in which everybody waits `delayMs`. The timer is left running when the line empties, instead of being set and
 * cleared with every request; it ends by itself and does not keep the process alive.
 */
export function createWaitingLine<W extends Waiting>(
  delayMs: number,
  clock: Clock,
  onDue: (one: W) => void,
): WaitingLine<W> {
  let first: Waiting | undefined;
  let last: Waiting | undefined;
  let ticking = false;

  const line: WaitingLine<W> = {
    join(one) {
      one.dueMs = clock.monotonic() + delayMs;
      one.line = line;
      one.before = last;
      one.after = undefined;
      if (last) last.after = one;
      else first = one;
      last = one;
      if (!ticking) tick(delayMs);
    },
    leave(one) {
      if (one.line !== line) return;
      one.line = undefined;
      if (one.before) one.before.after = one.after;
      else first = one.after;
      if (one.after) one.after.before = one.before;
      else last = one.before;
      one.before = undefined;
      one.after = undefined;
    },
  };

  const tick = (ms: number): void => {
    ticking = true;
    clock.schedule(ms, () => {
      ticking = false;
      // Timers may fire a fraction of a millisecond early on the monotonic clock.
      const now = clock.monotonic() + 1;
      while (first && first.dueMs <= now) {
        const due = first as W;
        line.leave(due);
        onDue(due);
      }
      if (first && !ticking) tick(Math.max(1, first.dueMs - clock.monotonic()));
    });
  };
  return line;
}
