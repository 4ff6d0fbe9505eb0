import { isIdempotencyError } from '../errors.js';
import type { Outcome } from '../idempotency.js';
import type { Answer, Header } from './answer.js';
import { hasBody } from './answer.js';
import type { Preset } from './options.js';

/** An answer that the middleware gives itself. */
export interface Reply {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** The stored or joined answer; one that could not be kept is asked for again. */
export function replayOf({ value, ageMs }: Outcome<Answer>, own: readonly Header[], preset: Preset): Reply {
  if (value.body === undefined) return again(preset, 1_000);
  const body = hasBody(value.status) ? Buffer.from(value.body, 'base64') : EMPTY;
  const headers: Header[] = [...value.headers, ...own, ['idempotent-replayed', 'true']];
  headers.push(['age', String(Math.max(0, Math.floor(ageMs / 1_000)))]);
  if (hasBody(value.status)) headers.push(['content-length', String(body.length)]);
  return { status: value.status, headers, body };
}

/** What the sender is told of an error of this package; undefined for any other. */
export function refusalOf(error: unknown, preset: Preset): Reply | undefined {
  if (!isIdempotencyError(error)) return undefined;
  switch (error.code) {
    case 'IDEMPOTENCY_BUSY':
      return again(preset, error.retryAfterMs ?? 1_000);
    case 'IDEMPOTENCY_KEY_REUSED':
      return problem(preset === 'ietf' ? 422 : 400, 'Idempotency-Key was used with another request');
    case 'IDEMPOTENCY_INVALID_KEY':
      return problem(400, error.message);
    case 'IDEMPOTENCY_LEASE_LOST':
      return problem(503, 'another attempt took the request over; ask again for its answer', 1_000);
    case 'IDEMPOTENCY_STORE_FAILED':
    case 'IDEMPOTENCY_CLOSED':
      return problem(503, 'the idempotency store is away; nothing was done', 1_000);
    default:
      return undefined;
  }
}

/** A sender that retries 5xx only is not told 409. */
function again(preset: Preset, retryAfterMs: number): Reply {
  return problem(preset === 'webhook' ? 503 : 409, 'the same request is being worked on', retryAfterMs);
}

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export function problem(status: number, title: string, retryAfterMs?: number): Reply {
  const body = Buffer.from(JSON.stringify({ type: 'about:blank', status, title }));
  const headers: Header[] = [
    ['content-type', 'application/problem+json'],
    ['content-length', String(body.length)],
  ];
  if (retryAfterMs !== undefined) headers.push(['retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))]);
  return { status, headers, body };
}
