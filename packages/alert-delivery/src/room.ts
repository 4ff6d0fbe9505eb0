import type { StoredAlert } from './alert.js';
import { bytesOf } from './sizes.js';

/** How an alert came in: with room of its own, past the bound and to be folded, or not at all. */
export type Entry = 'room' | 'fold' | 'closed';

interface Waiting {
  readonly bytes: number;
  readonly critical: boolean;
  enter(entry: Entry): void;
}

/**
 * Back-pressure: how many alerts this process has on its way, and who waits for room. Past the bound an alert waits before it
 * is stored, in order of arrival, critical ones first; or, with `coalesce`, what is not critical comes in at once to be folded.
 */
export class Room {
  readonly #max: number;
  readonly #maxBytes: number;
  readonly #coalesce: boolean;
  readonly #waiting: Waiting[] = [];
  #pending = 0;
  #bytes = 0;
  /** Alerts that came in to be folded and wait for a message of their own. */
  #toFold = 0;
  #closed = false;
  /** Called when a message would find room again, once for all that wait to be folded. */
  onRoomToFold: () => void = () => undefined;

  constructor({ max, maxBytes, whenFull }: { max: number; maxBytes: number; whenFull: 'wait' | 'coalesce' }) {
    this.#max = max;
    this.#maxBytes = maxBytes;
    this.#coalesce = whenFull === 'coalesce';
  }

  /** How many more would find room now. */
  get free(): number {
    return this.#max - this.#pending;
  }

  /** How the alert comes in, once there is room, which then is taken; told at once where there is. */
  enter(alert: StoredAlert): Entry | Promise<Entry> {
    const bytes = bytesOf(alert);
    const critical = alert.severity === 'critical';
    if (this.#waiting.length === 0) {
      const entry = this.#entryOf(critical);
      if (entry !== undefined && entry !== 'closed') this.take(bytes);
      if (entry !== undefined) return entry;
    }
    const first = critical ? this.#waiting.findIndex((waiting) => !waiting.critical) : -1;
    return new Promise<Entry>((enter) => {
      this.#waiting.splice(first === -1 ? this.#waiting.length : first, 0, { bytes, critical, enter });
      this.#letIn();
    });
  }

  /** Takes room without waiting, for what exists already. */
  take(bytes: number): void {
    this.#pending++;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#pending--;
    this.#bytes -= bytes;
    this.#letIn();
    this.#startFolds();
  }

  /** An alert that came in past the bound is stored, and waits to be folded. */
  waitToFold(): void {
    this.#toFold++;
    this.#startFolds();
  }

  /** Whoever still waits is told so; who came before and had room stays. */
  close(): void {
    this.#closed = true;
    this.#letIn();
  }

  /** Room is taken here, before the store is asked: of any number of calls at once no more than the bound get in. */
  #letIn(): void {
    if (this.#waiting.length === 0) return;
    let entered = 0;
    for (const { bytes, critical, enter } of this.#waiting) {
      const entry = this.#entryOf(critical);
      if (entry === undefined) break;
      entered++;
      if (entry !== 'closed') this.take(bytes);
      enter(entry);
    }
    if (entered > 0) this.#waiting.splice(0, entered);
  }

  #entryOf(critical: boolean): Entry | undefined {
    if (this.#closed) return 'closed';
    // A tenth more is kept for critical ones.
    const share = critical ? 1.1 : 1;
    if (this.#pending > 0 && this.#bytes >= this.#maxBytes * share) return undefined;
    if (this.#pending < Math.ceil(this.#max * share)) return 'room';
    return this.#coalesce && !critical ? 'fold' : undefined;
  }

  #startFolds(): void {
    if (this.#toFold === 0 || this.#pending - this.#toFold >= this.#max) return;
    this.#toFold = 0;
    this.onRoomToFold();
  }
}
