import { randomBytes } from 'node:crypto';
import type { Stored } from './entry.js';
import { bad, DEFAULTS } from './options.js';

/** Makes operation ids that no other instance makes: 64 random bits for the process, then a count. */
export function operationIds(): () => string {
  const instance = randomBytes(8).toString('base64url');
  let count = 0;
  return () => `${instance}.${(++count).toString(36)}`;
}

/** @throws TypeError when `opId` is given and can't be one. */
export function checkOpId(opId: unknown): asserts opId is string | undefined {
  if (opId === undefined) return;
  if (typeof opId !== 'string' || opId === '' || opId.length > 200 || /[\p{Surrogate}\0]/u.test(opId)) {
    throw bad('opId', 'be a string of 1 to 200 characters', opId);
  }
}

/** The results of the last writes that carried a caller's `opId`; the oldest are forgotten first. */
export class RememberedOperations {
  readonly #results = new Map<string, Stored>();

  get(id: string, opId: string): Stored | undefined {
    return this.#results.get(`${id}\0${opId}`);
  }

  set(id: string, opId: string, result: Stored): void {
    this.#results.set(`${id}\0${opId}`, result);
    if (this.#results.size > DEFAULTS.rememberedOps) {
      const [oldest] = this.#results.keys();
      this.#results.delete(oldest!);
    }
  }
}
