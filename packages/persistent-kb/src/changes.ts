import type { Entry, Stored } from './entry.js';
import { DEFAULTS } from './options.js';

/** Something that became visible to readers of this instance, whoever wrote it. */
export type Change<T extends Entry = Entry> =
  | { readonly type: 'put'; readonly id: string; readonly rev: number; readonly stored: Stored<T> }
  | { readonly type: 'delete'; readonly id: string; readonly rev: number }
  /** The reader was too far behind and changes were dropped: read everything again. Nothing follows. */
  | { readonly type: 'reset' };

interface Reader<T extends Entry> {
  push(change: Change<T>): void;
  end(): void;
}

/** Fans changes out to any number of readers, each bounded by itself. */
export class Feed<T extends Entry> {
  readonly #readers = new Set<Reader<T>>();

  get isIdle(): boolean {
    return this.#readers.size === 0;
  }

  publish(change: Change<T>): void {
    for (const reader of [...this.#readers]) reader.push(change);
  }

  /** Ends every reader once it has read what is waiting. */
  close(): void {
    for (const reader of [...this.#readers]) reader.end();
  }

  /** Starts to collect at once, so that nothing between this call and the first read is missed. */
  subscribe(signal: AbortSignal | undefined): AsyncIterableIterator<Change<T>> {
    const waiting: Change<T>[] = [];
    let ended = signal?.aborted ?? false;
    let wake: (() => void) | undefined;

    const leave = (): void => {
      ended = true;
      this.#readers.delete(reader);
      signal?.removeEventListener('abort', leave);
      wake?.();
    };
    const reader: Reader<T> = {
      push(change) {
        waiting.push(change);
        if (waiting.length > DEFAULTS.maxPendingChanges) {
          waiting.splice(0, waiting.length, { type: 'reset' });
          leave();
        }
        wake?.();
      },
      end: leave,
    };
    if (!ended) {
      this.#readers.add(reader);
      signal?.addEventListener('abort', leave, { once: true });
    }

    const iterator: AsyncIterableIterator<Change<T>> = {
      async next() {
        for (;;) {
          signal?.throwIfAborted();
          const change = waiting.shift();
          if (change) return { value: change, done: false };
          if (ended) return { value: undefined, done: true };
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
      async return() {
        waiting.length = 0;
        leave();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }
}
