import type { Call } from './call.js';
import { IdempotencyError } from './errors.js';
import { readableKey } from './key.js';

/** The error of a call after `close`. */
export function closedError(): IdempotencyError {
  return new IdempotencyError('IDEMPOTENCY_CLOSED', 'this idempotency has been closed');
}

/** The error of a call that waited long enough for somebody else's run. */
export function busyError(call: Call, retryAfterMs: number): IdempotencyError {
  const key = readableKey(call.key);
  return new IdempotencyError('IDEMPOTENCY_BUSY', `key ${JSON.stringify(key)} is being worked on; ask again`, {
    key,
    retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)),
  });
}

/** The error of a call that uses a key for something else than before. */
export function reusedError(call: Call): IdempotencyError {
  const key = readableKey(call.key);
  return new IdempotencyError(
    'IDEMPOTENCY_KEY_REUSED',
    `key ${JSON.stringify(key)} was used before for something else; use a new key for each piece of work`,
    { key },
  );
}
