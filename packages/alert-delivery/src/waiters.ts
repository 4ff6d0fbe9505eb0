import type { Clock } from '@holdfast/clock';
import { type Outcome, outcomeOf } from './life.js';
import type { DeliveryStore } from './store.js';

/** How often a shared store is asked how an alert ended that another instance has. */
const LOOK_MS = 1000;

/** Who waits for the end of which alert. */
export class Waiters {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<(outcome: Outcome) => void>>();
  #closed = false;

  constructor(store: DeliveryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Resolves when {@link tell} names the alert; rejects with the signal's reason when it aborts first. */
  next(id: string, signal?: AbortSignal | undefined): { ended: Promise<Outcome>; cancel(): void } {
    let cancel = (): void => undefined;
    const ended = new Promise<Outcome>((resolve, reject) => {
      const waiters = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiters.add(resolve));
      const onAbort = (): void => reject(signal!.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      cancel = () => {
        waiters.delete(resolve);
        if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
        signal?.removeEventListener('abort', onAbort);
      };
    });
    return { ended, cancel };
  }

  /** Resolves with the end of an alert that is pending, or has ended. `isHere`: this process has it on its way. */
  async outcome(id: string, isHere: () => boolean, signal?: AbortSignal | undefined): Promise<Outcome> {
    const { ended, cancel } = this.next(id, signal);
    try {
      // Registered first and looked up then, so that an end in between is not missed.
      const known = await this.#store.find(id).catch(() => undefined);
      const outcome = known && outcomeOf(id, known.events);
      if (outcome) return outcome;
      if (!known || isHere()) return await ended;
      if (this.#store.shared) this.watch(id);
      else {
        // Its acceptance may be a turn ahead of its setting out.
        await new Promise((resolve) => void setImmediate(resolve));
        // Pending, and nobody works on it: its end could not be written. The next start goes on with it.
        if (!isHere()) return { status: 'journaled', id };
      }
      return await ended;
    } finally {
      ended.catch(() => undefined);
      cancel();
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
    for (const waiter of waiters) waiter(outcome);
  }

  /** Whoever still waits is told that the alert is safe in the store. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#waiting.keys()]) this.tell(id, { status: 'journaled', id });
  }
}
