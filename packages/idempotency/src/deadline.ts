import type { Clock } from '@holdfast/clock';
import type { Claim, ClaimRequest } from './decide.js';
import { IdempotencyError } from './errors.js';
import type { Deadline, MaybePromise, OpenStore } from './store.js';
import type { EncodedValue } from './value.js';

/** A store that did not answer in time. It may have done what it was asked. */
function timedOut(operation: string, ms: number): IdempotencyError {
  return new IdempotencyError('IDEMPOTENCY_STORE_FAILED', `the store did not answer ${operation} within ${ms} ms`, {
    operation,
  });
}

class LazyDeadline implements Deadline {
  #controller: AbortController | undefined;
  #reason: unknown;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  expire(reason: unknown): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** Whether `value` is a promise of any realm. */
export function isThenable<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * Calls the store; what it gives at once is returned as it is. A promise is bounded by `ms`, after which it rejects
 * `IDEMPOTENCY_STORE_FAILED` and the deadline's signal aborts. Every failure of a store comes out as that code.
 */
export function callStore<T>(
  operation: string,
  ms: number,
  clock: Clock,
  call: (deadline: Deadline) => MaybePromise<T>,
): MaybePromise<T> {
  const deadline = new LazyDeadline();
  let answer: MaybePromise<T>;
  try {
    answer = call(deadline);
  } catch (error) {
    throw storeFailure(operation, error);
  }
  return isThenable(answer) ? bounded(operation, ms, clock, deadline, answer) : answer;
}

/** Sends a claim by the same rules; written out, because a replay from memory consists of little else. */
export function claimWithin(
  ms: number,
  clock: Clock,
  store: OpenStore,
  key: string,
  request: ClaimRequest,
): MaybePromise<Claim> {
  const deadline = new LazyDeadline();
  let answer: MaybePromise<Claim>;
  try {
    answer = store.claim(key, request, deadline);
  } catch (error) {
    throw storeFailure('claim', error);
  }
  return isThenable(answer) ? bounded('claim', ms, clock, deadline, answer) : answer;
}

/** Sends a settle by the same rules; a first run into memory is a claim and this. */
export function settleWithin(
  ms: number,
  clock: Clock,
  store: OpenStore,
  { key, token, ttlMs }: Settling,
  value: EncodedValue,
): MaybePromise<boolean> {
  const deadline = new LazyDeadline();
  let answer: MaybePromise<boolean>;
  try {
    answer = store.settle(key, token, value, ttlMs, deadline);
  } catch (error) {
    throw storeFailure('settle', error);
  }
  return isThenable(answer) ? bounded('settle', ms, clock, deadline, answer) : answer;
}

/** Whose answer is stored, and for how long. */
type Settling = { readonly key: string; readonly token: string; readonly ttlMs: number };

function bounded<T>(
  operation: string,
  ms: number,
  clock: Clock,
  deadline: LazyDeadline,
  pending: Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.schedule(ms, () => {
      const error = timedOut(operation, ms);
      reject(error);
      deadline.expire(error);
    });
    pending.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(storeFailure(operation, error));
      },
    );
  });
}

/** A driver's error as this package's. */
export function storeFailure(operation: string, cause: unknown): IdempotencyError {
  if (cause instanceof IdempotencyError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new IdempotencyError(
    'IDEMPOTENCY_STORE_FAILED',
    `the store failed at ${operation}: ${reason}`,
    { operation },
    { cause },
  );
}
