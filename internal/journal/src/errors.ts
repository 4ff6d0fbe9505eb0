import type { JournalErrorCode, JournalOwner } from './contract.js';

const BRAND = Symbol.for('holdfast.journal.error');

/** The facts a {@link JournalError} may carry besides its code. */
export interface JournalErrorFacts {
  cause?: unknown;
  dir?: string | undefined;
  owner?: JournalOwner | undefined;
  file?: string | undefined;
  offset?: number | undefined;
  bytes?: number | undefined;
  limitBytes?: number | undefined;
}

/** Every failure of a journal that is not the caller's mistake. Branch on `code`, or with {@link isJournalError}. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;
  /** The journal's directory. */
  readonly dir: string | undefined;
  /** `JOURNAL_LOCKED`: who has the directory, as far as it is known. */
  readonly owner: JournalOwner | undefined;
  /** `JOURNAL_DAMAGED`: the file, and where in it the damage begins. */
  readonly file: string | undefined;
  readonly offset: number | undefined;
  /** `JOURNAL_TOO_LARGE`: the size of the record as JSON and the limit, bytes. */
  readonly bytes: number | undefined;
  readonly limitBytes: number | undefined;

  constructor(code: JournalErrorCode, message: string, facts: JournalErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.dir = facts.dir;
    this.owner = facts.owner;
    this.file = facts.file;
    this.offset = facts.offset;
    this.bytes = facts.bytes;
    this.limitBytes = facts.limitBytes;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Whether `error` is a {@link JournalError} of any copy of this package, and has `code` if one is given. */
export function isJournalError(error: unknown, code?: JournalErrorCode): error is JournalError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as { code?: unknown }).code === code;
}

/** The `code` of a system error such as ENOSPC, else its text: what an event may carry. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.message : String(error);
}
