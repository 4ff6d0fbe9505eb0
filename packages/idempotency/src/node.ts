import type { ServerResponse } from 'node:http';
import { createEngine } from './http/engine.js';
import { type NodeRequest, throughNode } from './http/node-exchange.js';
import type { HttpOptions } from './http/options.js';
import type { Idempotency } from './idempotency.js';

export type { NodeRequest } from './http/node-exchange.js';
export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/**
 * Makes a guard for handlers of node:http (and connect): it calls `next` once per key and gives every duplicate the same
 * answer. See `idempotent` of `@holdfast/idempotency/express` for what is kept and what is not.
 *
 * It reads no body. For `ietf` to compare bodies, and for `webhook` to find a groupKey, put the parsed body (or its bytes) on
 * `request.body` before; without it the key alone counts, told once by the event `http.body_unread`.
 *
 * The promise rejects with what `next` threw or rejected with, once the key is free; the response is then the caller's.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * const once = idempotent(idempotency, { preset: 'stripe' });
 * createServer((request, response) => once(request, response, () => handle(request, response)));
 */
export function idempotent<R extends NodeRequest>(
  idempotency: Idempotency,
  options: HttpOptions<R> = {},
): (request: R, response: ServerResponse, next: () => unknown) => Promise<void> {
  const engine = createEngine(idempotency, options);
  return async (request, response, next) => {
    await throughNode(engine, { subject: request, request, response, next });
  };
}
