import type { Clock } from '@holdfast/clock';

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly life: object;
  readonly fn: () => void;
}

/** Turns of the event loop that may lie between two system calls. */
const QUIET_TURNS = 2;
/** Turns without a timer after which nothing will happen any more. */
const IDLE_TURNS = 50;

/** Simulated time: it stands still while anything can run, and then jumps to what falls due next. */
export class SimulatedTime {
  #now = 0;
  #order = 0;
  #calls = 0;
  #timers: Timer[] = [];

  get now(): number {
    return this.#now;
  }

  /** The clock of one life of a process: its timers die with it. */
  clockOf(life: object): Clock {
    return {
      now: () => 1_700_000_000_000 + this.#now,
      monotonic: () => this.#now,
      schedule: (ms, fn) => this.after(ms, fn, life),
    };
  }

  /** Calls `fn` after `ms` of simulated time. */
  after(ms: number, fn: () => void, life: object): () => void {
    const timer: Timer = { due: this.#now + Math.max(0, ms), order: this.#order++, life, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Forgets all timers of a life. */
  kill(life: object): void {
    this.#timers = this.#timers.filter((timer) => timer.life !== life);
  }

  /** Runs until `over`, or until nothing is due by `untilMs`. Resolves with whether `over` came to hold. */
  async run(over: () => boolean, untilMs: number): Promise<boolean> {
    for (let idle = 0; ; ) {
      await this.#settled();
      if (over()) return true;
      let next: Timer | undefined;
      for (const timer of this.#timers)
        if (!next || timer.due < next.due || (timer.due === next.due && timer.order < next.order)) next = timer;
      if (!next || next.due > untilMs) {
        // Some work takes several turns of the event loop, with no timer.
        if (++idle > IDLE_TURNS) return false;
        continue;
      }
      idle = 0;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.due);
      next.fn();
    }
  }

  /** Lets all that is ready run: a commit of the journal is several system calls with turns of the event loop between them. */
  async #settled(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#calls;
      await new Promise((resolve) => void setImmediate(resolve));
      if (this.#calls !== before) quiet = 0;
    }
  }

  /** A system call is made: the process is not idle. */
  tick(): void {
    this.#calls++;
  }
}
