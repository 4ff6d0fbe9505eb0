/** Every code an {@link IdempotencyError} can carry. */
export type IdempotencyErrorCode =
  | 'IDEMPOTENCY_BUSY'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'IDEMPOTENCY_LEASE_LOST'
  | 'IDEMPOTENCY_STORE_FAILED'
  | 'IDEMPOTENCY_STEP_AMBIGUOUS'
  | 'IDEMPOTENCY_INVALID_KEY'
  | 'IDEMPOTENCY_INVALID_VALUE'
  | 'IDEMPOTENCY_INVALID_OPTION'
  | 'IDEMPOTENCY_CLOSED';

/** What an error knows besides its code. */
export interface IdempotencyErrorFacts {
  /** The key as the caller would recognise it. */
  key?: string | undefined;
  /** `IDEMPOTENCY_BUSY`: when asking again makes sense, milliseconds. */
  retryAfterMs?: number | undefined;
  /** `IDEMPOTENCY_LEASE_LOST`: how the lease ended. */
  reason?: LeaseLossReason | undefined;
  /** `IDEMPOTENCY_STORE_FAILED`: what was asked of the store. */
  operation?: string | undefined;
  /** `IDEMPOTENCY_STEP_AMBIGUOUS`: the step that ran but could not be recorded. */
  step?: string | undefined;
  /** `IDEMPOTENCY_STEP_AMBIGUOUS`: what the step gave. */
  value?: unknown;
  /** `IDEMPOTENCY_INVALID_VALUE`: where in the value, such as `$.when`. */
  path?: string | undefined;
  /** `IDEMPOTENCY_STORE_FAILED` of a file store: the directory, and who owns it. */
  dir?: string | undefined;
  pid?: number | undefined;
  host?: string | undefined;
}

/** Why a run is no longer the owner of its key. */
export type LeaseLossReason = 'renewal-refused' | 'lease-ended' | 'ran-too-long' | 'settle-refused' | 'step-refused';

const BRAND = Symbol.for('holdfast.idempotency.error');

/**
 * The one error class of this package. Branch on `code` through {@link isIdempotencyError}, which also knows errors that
 * another copy of the package made (ESM beside CommonJS), where `instanceof` fails.
 */
export class IdempotencyError extends Error {
  override readonly name = 'IdempotencyError';
  readonly code: IdempotencyErrorCode;
  readonly key?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly reason?: LeaseLossReason | undefined;
  readonly operation?: string | undefined;
  readonly step?: string | undefined;
  readonly value?: unknown;
  readonly path?: string | undefined;
  readonly dir?: string | undefined;
  readonly pid?: number | undefined;
  readonly host?: string | undefined;

  constructor(
    code: IdempotencyErrorCode,
    message: string,
    facts: IdempotencyErrorFacts = {},
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
    this.code = code;
    Object.assign(this, facts);
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Whether `error` is an {@link IdempotencyError} of any copy of this package, and has `code` when one is given. */
export function isIdempotencyError(error: unknown, code?: IdempotencyErrorCode): error is IdempotencyError {
  if (typeof error !== 'object' || error === null) return false;
  if ((error as { [BRAND]?: unknown })[BRAND] !== true) return false;
  return code === undefined || (error as IdempotencyError).code === code;
}

/** Throws `IDEMPOTENCY_INVALID_OPTION`: names the option, the rule and what was given. */
export function refuseOption(option: string, rule: string, received: unknown): never {
  throw new IdempotencyError('IDEMPOTENCY_INVALID_OPTION', `option ${option} ${rule}, received ${show(received)}`);
}

/** A value in an error message: short, and never a secret's whole length. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}
