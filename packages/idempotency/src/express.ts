import type { ServerResponse } from 'node:http';
import { createEngine } from './http/engine.js';
import { type NodeRequest, throughNode } from './http/node-exchange.js';
import type { HttpOptions } from './http/options.js';
import type { Idempotency } from './idempotency.js';

export type { NodeRequest } from './http/node-exchange.js';
export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/**
 * Makes express 4 and 5 middleware that runs a handler once per key and gives every duplicate its answer: status, headers and
 * exact bytes. The answer is stored before its last byte is sent. 5xx and 429 are never stored.
 *
 * Mount it after the body parser and the authentication, and inside (after) `requestDeadline`. GET, HEAD and OPTIONS pass
 * through. Never replayed: `Set-Cookie`, headers of the connection. Not kept: event streams, and answers over
 * `maxAnswerBytes`; their duplicates are told to ask again.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * app.post('/webhook/alerts', express.json({ limit: '16mb' }), idempotent(idempotency, { preset: 'webhook' }), handler);
 */
export function idempotent<R extends NodeRequest>(
  idempotency: Idempotency,
  options: HttpOptions<R> = {},
): (request: R, response: ServerResponse, next: (error?: unknown) => void) => void {
  const engine = createEngine(idempotency, options);
  return (request, response, next) => {
    throughNode(engine, { subject: request, request, response, next: () => next() }).catch(next);
  };
}
