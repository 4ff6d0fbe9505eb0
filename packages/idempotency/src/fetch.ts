import { createEngine } from './http/engine.js';
import type { HttpOptions } from './http/options.js';
import { throughWeb } from './http/web-exchange.js';
import type { Idempotency } from './idempotency.js';

export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/**
 * Wraps a fetch handler: it is called once per key, and every duplicate gets the same answer. See `idempotent` of
 * `@holdfast/idempotency/express` for what is kept and what is not. The body is read from a clone, to be compared.
 *
 * There is no address of the sender in a Request: with preset `webhook` and peers that share an externalURL, give `sender`.
 * The promise rejects with what the handler throws, once the key is free.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * export default { fetch: withIdempotency(handle, idempotency, { preset: 'stripe' }) };
 */
export function withIdempotency<R extends Request, A extends unknown[]>(
  handler: (request: R, ...more: A) => Response | Promise<Response>,
  idempotency: Idempotency,
  options: HttpOptions<R> = {},
): (request: R, ...more: A) => Promise<Response> {
  const engine = createEngine(idempotency, options);
  return async (request, ...more) => {
    const next = async (): Promise<Response> => handler(request, ...more);
    const response = await throughWeb(engine, { subject: request, request, next });
    return response ?? next();
  };
}
