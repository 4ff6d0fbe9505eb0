import type { Clock } from '@holdfast/clock';
import type { EndEvent } from './life.js';
import type { DeliveryStore, Work } from './store.js';

/** How often the store is asked again. */
const RETRY_MS = 1000;
/** Alerts written at a time. */
const SLICE = 250;

/**
 * Ends that the store could not take when they came, on a full disk say. They are written once it takes writes again, so
 * that no later start sends those alerts anew. Of a process that dies before, the alerts are pending still.
 */
export class LateEnds {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #onWritten: () => void;
  #waiting: { readonly works: readonly Work[]; readonly end: EndEvent }[] = [];
  #cancel: (() => void) | undefined;
  #writing = Promise.resolve();
  #closed = false;

  constructor(store: DeliveryStore, clock: Clock, onWritten: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onWritten = onWritten;
  }

  add(works: readonly Work[], end: EndEvent): void {
    for (let at = 0; at < works.length; at += SLICE) this.#waiting.push({ works: works.slice(at, at + SLICE), end });
    this.#again();
  }

  /** Tries once more, and on schedule no more. Called again, it is when the time to close is over. */
  async close(): Promise<void> {
    const timeIsOver = this.#closed;
    this.#closed = true;
    this.#cancel?.();
    // A database that doesn't answer would hold the close up. A disk is waited for: it is closed behind what is written.
    if (!(timeIsOver && this.#store.shared)) await this.#write();
  }

  #again(): void {
    if (this.#closed || this.#cancel || this.#waiting.length === 0) return;
    this.#cancel = this.#clock.schedule(RETRY_MS, () => {
      void this.#write().then(() => {
        this.#cancel = undefined;
        this.#again();
      });
    });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  /** In order, up to the first that the store does not take. It has said why itself; a failed one takes nothing any more. */
  async #writeAll(): Promise<void> {
    if (this.#store.failure) this.#waiting = [];
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        // Who was lost on the way has another end, or will have.
        const holds = next.works.map((work) => work.hold);
        await this.#store.record(holds, [next.end]);
      } catch {
        this.#waiting.unshift(next);
        return;
      }
      this.#onWritten();
    }
  }
}
