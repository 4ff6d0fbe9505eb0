import type { Entry, Stored } from './entry.js';

/** Every way in which a knowledge base says no. */
export type KbErrorCode =
  | 'KB_START'
  | 'KB_CONFLICT'
  | 'KB_NOT_FOUND'
  | 'KB_INVALID_ENTRY'
  | 'KB_TOO_LARGE'
  | 'KB_STORE_FAILED'
  | 'KB_UNKNOWN_OUTCOME'
  | 'KB_CLOSED';

/** Why {@link openKb} rejected. */
export type KbStartKind =
  | 'unreachable'
  | 'dns'
  | 'tls'
  | 'silent'
  | 'auth'
  | 'forbidden'
  | 'bad-uri'
  | 'no-primary'
  | 'wrong-replica-set'
  | 'locked'
  | 'damaged'
  | 'unusable'
  | 'poison'
  | 'timeout'
  | 'store';

/** How a write with an unknown outcome ended. */
export type Settlement =
  /** It is durable; `rev` is the revision it made. */
  | { status: 'written'; rev: number }
  /** Somebody else's write took its place: it is not there and never will be. */
  | { status: 'not-written' }
  /** The id was written more than four times since by others; whether this write was among them can't be told any more. */
  | { status: 'unknowable' };

/** The typed facts an error may carry; which ones, says its code. */
export interface KbErrorFacts {
  cause?: unknown;
  kind?: KbStartKind | undefined;
  pid?: number | undefined;
  host?: string | undefined;
  id?: string | undefined;
  current?: Stored<Entry> | undefined;
  path?: string | undefined;
  bytes?: number | undefined;
  maxBytes?: number | undefined;
  opId?: string | undefined;
  settle?: (() => Promise<Settlement>) | undefined;
}

const BRAND = Symbol.for('holdfast.persistent-kb.error');

/** The error of this package. Branch on `code` through {@link isKbError}; `instanceof` fails between two copies of a module. */
export class KbError extends Error {
  override readonly name = 'KbError';
  readonly code: KbErrorCode;
  /** `KB_START`: why. */
  readonly kind: KbStartKind | undefined;
  /** `KB_START` of kind `locked`: the process that owns the directory, where it is known. */
  readonly pid: number | undefined;
  /** `KB_START` of kind `locked`: the host of that process. */
  readonly host: string | undefined;
  /** The entry's id, where the error is about one. */
  readonly id: string | undefined;
  /** `KB_CONFLICT`: what is stored now; undefined when nothing is. */
  readonly current: Stored<Entry> | undefined;
  /** `KB_INVALID_ENTRY`: where in the entry, as in `tags[2]` or `meta["a.b"].when`. */
  readonly path: string | undefined;
  /** `KB_TOO_LARGE`: how large it is, in bytes. */
  readonly bytes: number | undefined;
  /** `KB_TOO_LARGE`: how large it may be, in bytes. */
  readonly maxBytes: number | undefined;
  /** `KB_UNKNOWN_OUTCOME`: the operation id to look for. */
  readonly opId: string | undefined;
  /** `KB_UNKNOWN_OUTCOME`: resolves with how the write ended once the store can be asked; rejects `KB_CLOSED` at close. */
  readonly settle: (() => Promise<Settlement>) | undefined;

  constructor(code: KbErrorCode, message: string, facts: KbErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    Object.defineProperty(this, BRAND, { value: true });
    this.code = code;
    this.kind = facts.kind;
    this.pid = facts.pid;
    this.host = facts.host;
    this.id = facts.id;
    this.current = facts.current;
    this.path = facts.path;
    this.bytes = facts.bytes;
    this.maxBytes = facts.maxBytes;
    this.opId = facts.opId;
    this.settle = facts.settle;
  }
}

/** Whether `error` is a {@link KbError} (of any copy of this package), and of `code` when one is given. */
export function isKbError(error: unknown, code?: KbErrorCode): error is KbError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as KbError).code === code;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
