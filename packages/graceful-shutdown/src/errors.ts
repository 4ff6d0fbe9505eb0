/** Every code of a {@link LifecycleError}, stable across releases. */
export type LifecycleErrorCode =
  | 'LIFECYCLE_START_FAILED'
  | 'LIFECYCLE_START_TIMEOUT'
  | 'LIFECYCLE_STOP_TIMEOUT'
  | 'LIFECYCLE_STOPPING'
  | 'LIFECYCLE_CYCLE'
  | 'LIFECYCLE_UNKNOWN_COMPONENT'
  | 'LIFECYCLE_DUPLICATE_NAME'
  | 'LIFECYCLE_INVALID_OPTION'
  | 'LIFECYCLE_ALREADY_STARTED'
  | 'LIFECYCLE_NOT_STARTED'
  | 'LIFECYCLE_NO_DEADLINE'
  | 'LIFECYCLE_DEADLINE_EXCEEDED';

/** What an error may carry beside its code. */
export interface LifecycleErrorFacts {
  /** The component that the error is about. */
  readonly component?: string | undefined;
  /** The option that was refused. */
  readonly option?: string | undefined;
  /** The components of a cycle, the first one again at the end. */
  readonly cycle?: readonly string[] | undefined;
  /** The time that was allowed. */
  readonly timeoutMs?: number | undefined;
  /** Which of the two deadlines of a request was exceeded. */
  readonly deadline?: 'body' | 'handler' | undefined;
  /** What went wrong underneath. */
  readonly cause?: unknown;
}

const BRAND = Symbol.for('holdfast.graceful-shutdown.error');

/** The one error class of this package. Branch on `code`, not on the message; across copies use {@link isLifecycleError}. */
export class LifecycleError extends Error {
  readonly code: LifecycleErrorCode;
  readonly component: string | undefined;
  readonly option: string | undefined;
  readonly cycle: readonly string[] | undefined;
  readonly timeoutMs: number | undefined;
  readonly deadline: 'body' | 'handler' | undefined;

  constructor(code: LifecycleErrorCode, message: string, facts: LifecycleErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.name = 'LifecycleError';
    this.code = code;
    this.component = facts.component;
    this.option = facts.option;
    this.cycle = facts.cycle;
    this.timeoutMs = facts.timeoutMs;
    this.deadline = facts.deadline;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * True for a {@link LifecycleError} of this or any other copy of the package (ESM and CommonJS copies have different
 * classes), and, when `code` is given, only for that code.
 */
export function isLifecycleError(error: unknown, code?: LifecycleErrorCode): error is LifecycleError {
  if (typeof error !== 'object' || error === null || (error as Record<symbol, unknown>)[BRAND] !== true) return false;
  return code === undefined || (error as LifecycleError).code === code;
}

/** One line of text for whatever was thrown, with the chain of causes. */
export function reasonOf(thrown: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = thrown; at !== undefined && at !== null && parts.length < 5; ) {
    const text = at instanceof Error ? at.message || at.name : String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
