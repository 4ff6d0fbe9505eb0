/** How far back the two plots go. */
const MINUTES = 60;

/** Counts by the minute of the last hour; older minutes make room. Pure: the time is given. */
export class Minutes {
  readonly #counts: number[] = Array.from({ length: MINUTES }, () => 0);
  /** The newest minute that was counted, in minutes since the epoch. */
  #newest = 0;

  /** Counts at `at` (epoch milliseconds); what is older than an hour is not counted. */
  add(at: number, now: number, count = 1): void {
    this.#advance(now);
    const minute = Math.floor(at / 60_000);
    if (minute > this.#newest || minute <= this.#newest - MINUTES) return;
    this.#counts[minute % MINUTES]! += count;
  }

  /** The last hour, oldest minute first; the last one is still running. */
  read(now: number): number[] {
    this.#advance(now);
    return Array.from({ length: MINUTES }, (_, at) => this.#counts[(this.#newest + 1 + at) % MINUTES]!);
  }

  #advance(now: number): void {
    const minute = Math.floor(now / 60_000);
    if (minute <= this.#newest) return;
    for (let at = Math.max(this.#newest + 1, minute - MINUTES + 1); at <= minute; at++) this.#counts[at % MINUTES] = 0;
    this.#newest = minute;
  }
}
