import { createHash } from 'node:crypto';
import { IdempotencyError } from './errors.js';
import { CanonicalError, sortedJson } from './sorted-json.js';

/**
 * A hash (SHA-256, base64url) of what a call asks for, for the `fingerprint` of `run` and `execute`. The order of keys does
 * not count; types do: `1` is not `"1"`, `[]` is not `{}`, a key `__proto__` is a key. As in JSON, `-0` is `0`, and NaN is null.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_VALUE` when nested deeper than 500 levels.
 */
export function fingerprintOf(value: unknown): string {
  try {
    return createHash('sha256').update(sortedJson(value)).digest('base64url');
  } catch (error) {
    if (!(error instanceof CanonicalError)) throw error;
    throw new IdempotencyError('IDEMPOTENCY_INVALID_VALUE', `no fingerprint can be made: ${error.message}`, {
      path: '$',
    });
  }
}
