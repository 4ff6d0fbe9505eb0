import type { ServerResponse } from 'node:http';
import { createEngine } from './http/engine.js';
import { type NodeRequest, throughNode } from './http/node-exchange.js';
import type { HttpOptions } from './http/options.js';
import type { Idempotency } from './idempotency.js';

export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/** What is used of a koa context. */
export interface KoaContext {
  readonly req: NodeRequest;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly ip: string;
  /** What a body parser left has `body` and `rawBody`. */
  readonly request: object;
  respond?: boolean | undefined;
}

/**
 * Makes koa 2 and 3 middleware that calls what is inside it once per key and gives every duplicate the same answer. See
 * `idempotent` of `@holdfast/idempotency/express` for what is kept and what is not; options get the context.
 *
 * koa sends the answer after the middleware has returned: this one returns when the inner ones have, and holds the answer
 * back until it is stored. What they throw frees the key and goes on to the outer ones.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * app.use(bodyParser()).use(idempotent(idempotency)).use(router.routes());
 */
export function idempotent<C extends KoaContext>(
  idempotency: Idempotency,
  options: HttpOptions<C> = {},
): (context: C, next: () => Promise<unknown>) => Promise<void> {
  const engine = createEngine(idempotency, options);
  return (context, next) =>
    new Promise((resolve, reject) => {
      const { req: request, res: response, originalUrl, ip: address } = context;
      const { body, rawBody } = context.request as { body?: unknown; rawBody?: unknown };
      const inner = async (held: boolean): Promise<void> => {
        await next();
        // For a client that went away koa would send an empty answer, and that would be kept.
        if (held) Object.defineProperty(context, 'writable', { value: true, configurable: true });
        resolve();
      };
      Object.assign(request, { originalUrl });
      throughNode(engine, { subject: context, request, response, body: body ?? rawBody, address, next: inner })
        .then((called) => {
          if (called) return;
          context.respond = false;
          resolve();
        })
        .catch(reject);
    });
}
