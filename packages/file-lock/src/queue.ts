/** A place in the line of this process for one lock: only the first in line contends with other processes. */
export interface Place {
  /** Resolves when everybody before me has left. */
  readonly turn: Promise<void>;
  /** True from the moment that `turn` resolves. */
  isFirst(): boolean;
  /** Tells those behind me that I hold the lock. */
  announceHeld(): void;
  /** Gives up the place, wherever it is in the line. Safe to call twice. */
  leave(): void;
}

interface Waiter {
  go(): void;
  onHeld: (() => void) | undefined;
  left: boolean;
}

const lines = new Map<string, Waiter[]>();

/** Joins the line for `lock`, first come first served. `onHeld` is called each time somebody ahead gets the lock. */
export function enterLine(lock: string, onHeld?: () => void): Place {
  const line = lines.get(lock) ?? [];
  lines.set(lock, line);
  let go: () => void = () => {};
  const turn = new Promise<void>((resolve) => {
    go = resolve;
  });
  const waiter: Waiter = { go, onHeld, left: false };
  line.push(waiter);
  if (line[0] === waiter) go();

  return {
    turn,
    isFirst: () => line[0] === waiter,
    announceHeld() {
      for (const other of line.slice(1)) other.onHeld?.();
    },
    leave() {
      if (waiter.left) return;
      waiter.left = true;
      const wasFirst = line[0] === waiter;
      line.splice(line.indexOf(waiter), 1);
      if (line.length === 0) lines.delete(lock);
      else if (wasFirst) line[0]?.go();
    },
  };
}

/** How many in this process wait for or hold `lock`. */
export function lineLength(lock: string): number {
  return lines.get(lock)?.length ?? 0;
}
