import { KbError } from './errors.js';
import type { KbEvent } from './events.js';

/** Stored entries that can't be read as entries, set aside: counted, told once each, and never written over. */
export class Poisoned {
  readonly #reasons = new Map<string, string>();
  readonly #emit: (event: KbEvent) => void;

  constructor(emit: (event: KbEvent) => void) {
    this.#emit = emit;
  }

  get size(): number {
    return this.#reasons.size;
  }

  has(id: string): boolean {
    return this.#reasons.has(id);
  }

  add(id: string, reason: string): void {
    if (!this.#reasons.has(id)) this.#emit({ type: 'kb.entry-quarantined', id, reason });
    this.#reasons.set(id, reason);
  }

  /** Something readable took its place, or it is gone. */
  clear(id: string): void {
    if (this.#reasons.size > 0) this.#reasons.delete(id);
  }

  /** @throws KbError `KB_STORE_FAILED` when `id` is set aside. */
  refuse(id: string): void {
    const reason = this.#reasons.get(id);
    if (reason === undefined) return;
    const message = `what is stored as '${id}' can't be read (${reason}) and is not written over: repair or remove it in the store`;
    throw new KbError('KB_STORE_FAILED', message, { id });
  }
}
