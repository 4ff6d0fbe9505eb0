/** Remembers that a store failed until it works again: what a health check throws. */
export class StoreWatch {
  readonly #name: string;
  readonly #worksAgain: ReadonlySet<string>;
  #failure: string | undefined;

  /** `worksAgain` are the events that only a working store lets happen. */
  constructor(name: string, worksAgain: readonly string[]) {
    this.#name = name;
    this.#worksAgain = new Set(worksAgain);
  }

  see(event: { type: string; durable?: boolean; reason?: string }): void {
    if (event.type === 'store.failed') this.#failure = event.reason ?? 'unknown reason';
    else if (this.#worksAgain.has(event.type) && event.durable !== false) this.#failure = undefined;
  }

  /** @throws Error while the last thing that was heard of the store is a failure. */
  check(): void {
    if (this.#failure !== undefined) throw new Error(`the ${this.#name} store failed: ${this.#failure}`);
  }
}
