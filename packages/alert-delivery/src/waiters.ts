import type { Clock } from '@holdfast/clock';
import { type Outcome, outcomeOf } from './life.js';
import type { DeliveryStore } from './store.js';

/** How often a shared store is asked how an alert ended that another instance has. */
const LOOK_MS = 1000;

/** Somebody who waits for the end of one alert. */
export class Waiter {
  readonly ended: Promise<Outcome>;
  readonly #waiting: Map<string, Waiter[]>;
  readonly #id: string;
  #resolve!: (outcome: Outcome) => void;

  constructor(waiting: Map<string, Waiter[]>, id: string) {
    this.#waiting = waiting;
    this.#id = id;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const others = waiting.get(id);
    if (others) others.push(this);
    else waiting.set(id, [this]);
  }

  tell(outcome: Outcome): void {
    this.#resolve(outcome);
  }

  /** Resolves with the end; rejects with the signal's reason when it aborts first, and then waits no more. */
  until(signal: AbortSignal | undefined): Promise<Outcome> {
    return signal ? this.#untilEither(signal) : this.ended;
  }

  async #untilEither(signal: AbortSignal): Promise<Outcome> {
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
    try {
      return await Promise.race([this.ended, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort!);
      this.cancel();
    }
  }

  cancel(): void {
    const waiters = this.#waiting.get(this.#id);
    if (!waiters) return;
    const left = waiters.filter((other) => other !== this);
    if (left.length > 0) this.#waiting.set(this.#id, left);
    else this.#waiting.delete(this.#id);
  }
}

/** Who waits for the end of which alert. */
export class Waiters {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiter[]>();
  #closed = false;

  constructor(store: DeliveryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Waits until {@link tell} names the alert. */
  next(id: string): Waiter {
    return new Waiter(this.#waiting, id);
  }

  /** Resolves with the end of an alert that is pending, or has ended. `isHere`: this process has it on its way. */
  async outcome(id: string, isHere: () => boolean, signal?: AbortSignal | undefined): Promise<Outcome> {
    const waiter = this.next(id);
    try {
      // Registered first and looked up then, so that an end in between is not missed.
      const known = await this.#store.find(id).catch(() => undefined);
      const outcome = known && outcomeOf(id, known.events);
      if (outcome) return outcome;
      if (!known || isHere()) return await waiter.until(signal);
      if (this.#store.shared) this.watch(id);
      else {
        // Its acceptance may be a turn ahead of its setting out.
        await new Promise((resolve) => void setImmediate(resolve));
        // Pending, and nobody works on it: its end could not be written. It is written once the disk takes it, or the next start goes on.
        if (!isHere()) return { status: 'journaled', id };
      }
      return await waiter.until(signal);
    } finally {
      waiter.cancel();
    }
  }

  /** Another instance has the alert: who waits for it here is told when the store shows its end. */
  watch(id: string): void {
    if (!this.#store.shared) return;
    const look = async (): Promise<void> => {
      if (!this.#waiting.has(id) || this.#closed) return;
      const record = await this.#store.find(id).catch(() => undefined);
      const outcome = record && outcomeOf(id, record.events);
      if (outcome) this.tell(id, outcome);
      else this.#clock.schedule(LOOK_MS, () => void look(), { ref: true });
    };
    void look();
  }

  tell(id: string, outcome: Outcome): void {
    const waiters = this.#waiting.get(id);
    if (!waiters) return;
    this.#waiting.delete(id);
    for (const waiter of waiters) waiter.tell(outcome);
  }

  /** Whoever still waits is told that the alert is safe in the store. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#waiting.keys()]) this.tell(id, { status: 'journaled', id });
  }
}
