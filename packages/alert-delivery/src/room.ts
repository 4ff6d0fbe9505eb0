import type { StoredAlert } from './alert.js';
import { bytesOf } from './ledger.js';

interface Waiting {
  readonly bytes: number;
  readonly critical: boolean;
  enter(inTime: boolean): void;
}

/**
 * Back-pressure: how many alerts this process has on its way, and who waits for room. Past the bound an alert waits before it is
 * stored, in order of arrival, critical ones first.
 */
export class Room {
  readonly #max: number;
  readonly #maxBytes: number;
  readonly #waiting: Waiting[] = [];
  #pending = 0;
  #bytes = 0;
  #closed = false;

  constructor({ max, maxBytes }: { max: number; maxBytes: number }) {
    this.#max = max;
    this.#maxBytes = maxBytes;
  }

  /** How many more would find room now. */
  get free(): number {
    return this.#max - this.#pending;
  }

  /** Resolves once there is room, which then is taken; `false` when it was closed before. */
  enter(alert: StoredAlert): Promise<boolean> {
    const bytes = bytesOf(alert);
    const critical = alert.severity === 'critical';
    const first = this.#waiting.findIndex((waiting) => critical && !waiting.critical);
    return new Promise<boolean>((enter) => {
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
  }

  /** Whoever still waits is told so; who came before and had room stays. */
  close(): void {
    this.#closed = true;
    this.#letIn();
  }

  /** Room is taken here, before the store is asked: of any number of calls at once no more than the bound get in. */
  #letIn(): void {
    let entered = 0;
    for (const { bytes, critical, enter } of this.#waiting) {
      // A tenth more is kept for critical ones.
      const share = critical ? 1.1 : 1;
      const full =
        this.#closed ||
        this.#pending >= Math.ceil(this.#max * share) ||
        (this.#pending > 0 && this.#bytes >= this.#maxBytes * share);
      if (full && !this.#closed) break;
      entered++;
      if (!full) this.take(bytes);
      enter(!full);
    }
    if (entered > 0) this.#waiting.splice(0, entered);
  }
}
