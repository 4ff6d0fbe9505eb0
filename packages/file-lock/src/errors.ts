import type { Holder } from './identity.js';
import { describeHolder } from './identity.js';

/** What can go wrong, as a stable code to branch on. */
export type FileLockErrorCode =
  | 'FILE_LOCK_TIMEOUT'
  | 'FILE_LOCK_LOST'
  | 'FILE_LOCK_RELEASED'
  | 'FILE_LOCK_STALE_VERSION'
  | 'FILE_LOCK_DEADLOCK'
  | 'FILE_LOCK_INVALID_DATA'
  | 'FILE_LOCK_IO'
  | 'FILE_LOCK_INVALID_OPTION';

/** The facts an error carries beside its code and message. */
export interface FileLockErrorFacts {
  /** The file the lock is for, absolute, symlinks resolved. */
  path?: string | undefined;
  /** Who holds the lock, as far as it is known. */
  holder?: Holder | undefined;
  /** How long the caller waited, milliseconds. */
  waitedMs?: number | undefined;
  /** The version that the file has now, for FILE_LOCK_STALE_VERSION. */
  version?: string | undefined;
  cause?: unknown;
}

const BRAND = Symbol.for('holdfast.file-lock.error');

/**
 * Every error this package makes. Branch on `code`; recognise it with {@link isFileLockError}, which also works when
 * the error comes from another copy of the package.
 */
export class FileLockError extends Error {
  override readonly name = 'FileLockError';
  readonly code: FileLockErrorCode;
  readonly path: string | undefined;
  readonly holder: Holder | undefined;
  readonly waitedMs: number | undefined;
  readonly version: string | undefined;

  constructor(code: FileLockErrorCode, message: string, facts: FileLockErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.path = facts.path;
    this.holder = facts.holder;
    this.waitedMs = facts.waitedMs;
    this.version = facts.version;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Whether `error` is a {@link FileLockError} (of any copy of this package), and, if `code` is given, has that code. */
export function isFileLockError(error: unknown, code?: FileLockErrorCode): error is FileLockError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as FileLockError).code === code;
}

/** `code` of a Node system error, or '' for anything else. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : '';
}

export function lostError(path: string, cause?: unknown): FileLockError {
  return new FileLockError(
    'FILE_LOCK_LOST',
    `the lock on ${path} was taken over by another owner; nothing was written or removed. Acquire it again and redo the work on the file's present content.`,
    { path, cause },
  );
}

export function ioError(path: string, what: string, cause: unknown): FileLockError {
  return new FileLockError('FILE_LOCK_IO', `could not ${what} ${path}: ${(cause as Error).message}`, { path, cause });
}

export function timeoutError(path: string, holder: Holder, waitedMs: number, timeoutMs: number): FileLockError {
  const message = `${path} is locked by ${describeHolder(holder)}; gave up after ${Math.round(waitedMs)} ms. Try again later, or raise timeoutMs (${timeoutMs}).`;
  return new FileLockError('FILE_LOCK_TIMEOUT', message, { path, holder, waitedMs });
}
