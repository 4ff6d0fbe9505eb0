import type { Clock } from '@holdfast/clock';

/** How long a reading is good for. */
const GOOD_MS = 1;

/**
 * Monotonic time in whole milliseconds, read from the clock about once a millisecond; a replay costs little more than such a reading. It is late by a
 * millisecond, or by as long as the event loop was blocked, and never ahead: for telling that an answer is still good, not
 * for leases.
 */
export class RecentTime {
  readonly #clock: Clock;
  #ms: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#ms ?? this.#read();
  }

  #read(): number {
    this.#clock.schedule(GOOD_MS, () => {
      this.#ms = undefined;
    });
    this.#ms = Math.floor(this.#clock.monotonic());
    return this.#ms;
  }
}
