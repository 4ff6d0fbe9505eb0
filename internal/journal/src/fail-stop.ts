import type { Workplace } from './context.js';
import { JournalError, reasonOf } from './errors.js';

/** Whether the journal still works, and the errors that say how it doesn't. Once failed, it stays failed. */
export class FailStop {
  readonly #dir: string;
  readonly #emit: Workplace['emit'];
  readonly #abort = new AbortController();
  #failure: JournalError | undefined;

  constructor({ dir, emit }: Pick<Workplace, 'dir' | 'emit'>) {
    this.#dir = dir;
    this.#emit = emit;
  }

  get failure(): JournalError | undefined {
    return this.#failure;
  }

  /** Aborts at the failure. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Stops the journal for good; the first cause is the one that is told. */
  fail(cause: unknown): JournalError {
    if (this.#failure) return this.#failure;
    const reason =
      cause instanceof Error && cause.cause ? `${cause.message}: ${reasonOf(cause.cause)}` : reasonOf(cause);
    const message = `the journal in ${this.#dir} stopped (${reason}); what was appended last may or may not be stored: open it again`;
    this.#failure = new JournalError('JOURNAL_FAILED', message, { cause, dir: this.#dir });
    this.#abort.abort(this.#failure);
    this.#emit({ type: 'journal.failed', reason });
    return this.#failure;
  }

  /** A write that was cut back: the journal goes on. */
  writeFailed(cause: unknown): JournalError {
    this.#emit({ type: 'journal.write-failed', reason: reasonOf(cause) });
    return new JournalError(
      'JOURNAL_WRITE_FAILED',
      `${this.#dir}: write failed (${reasonOf(cause)}), nothing of it is stored; append again when there is space`,
      { cause, dir: this.#dir },
    );
  }
}
