import type { Verdict } from './verdict.js';

/** Every code that {@link DeliveryError} carries. */
export type DeliveryErrorCode =
  | 'DELIVERY_INVALID_OPTION'
  | 'DELIVERY_INVALID_ALERT'
  | 'DELIVERY_STORE_FAILED'
  | 'DELIVERY_CLOSED';

/** Facts that come with an error, each only where it is known. */
export interface DeliveryErrorFacts {
  cause?: unknown;
  /** `DELIVERY_INVALID_ALERT`: which field, as `title` or `data.x`. */
  path?: string | undefined;
  /** `DELIVERY_STORE_FAILED`: what went wrong. */
  kind?: 'locked' | 'damaged' | 'unusable' | 'unreachable' | 'auth' | 'write' | 'too-large' | undefined;
  /** `DELIVERY_STORE_FAILED`: the folder, of a file store. */
  dir?: string | undefined;
  /** `DELIVERY_STORE_FAILED` of kind `locked`: who owns the folder. */
  pid?: number | undefined;
  host?: string | undefined;
}

const BRAND = Symbol.for('holdfast.alert-delivery.error');

/** What this package rejects and throws with. Branch on `code`; guard with {@link isDeliveryError}. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly code: DeliveryErrorCode;
  readonly path: string | undefined;
  readonly kind: DeliveryErrorFacts['kind'];
  readonly dir: string | undefined;
  readonly pid: number | undefined;
  readonly host: string | undefined;

  constructor(code: DeliveryErrorCode, message: string, facts: DeliveryErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.code = code;
    this.path = facts.path;
    this.kind = facts.kind;
    this.dir = facts.dir;
    this.pid = facts.pid;
    this.host = facts.host;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * True for a {@link DeliveryError} of any copy of this package (ESM or CommonJS), and of `code` if one is given.
 *
 * @example
 * ```ts
 * if (isDeliveryError(error, 'DELIVERY_STORE_FAILED') && error.kind === 'locked') console.error(`owned by pid ${error.pid}`);
 * ```
 */
export function isDeliveryError(error: unknown, code?: DeliveryErrorCode): error is DeliveryError {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as Record<symbol, unknown>)[BRAND] === true &&
    (code === undefined || (error as DeliveryError).code === code)
  );
}

const CHANNEL_BRAND = Symbol.for('holdfast.alert-delivery.channel-error');

/**
 * What a channel throws when it knows how the provider answered. The verdict steers what happens next; any other thing
 * that a channel throws is classified by `channel.classify`, else by what is known of network errors, else `transient`.
 */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  readonly verdict: Verdict;
  /** A short stable word for metrics and timelines, such as `http 404 no_service`. */
  readonly detail: string | undefined;

  constructor(message: string, verdict: Verdict, detail?: string) {
    super(message);
    this.verdict = verdict;
    this.detail = detail;
    Object.defineProperty(this, CHANNEL_BRAND, { value: true });
  }
}

/** True for a {@link ChannelError} of any copy of this package. */
export function isChannelError(error: unknown): error is ChannelError {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[CHANNEL_BRAND] === true;
}

/** What an error says of itself, whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
