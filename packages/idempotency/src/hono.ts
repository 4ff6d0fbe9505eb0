import { createEngine } from './http/engine.js';
import type { HttpOptions } from './http/options.js';
import { throughWeb } from './http/web-exchange.js';
import type { Idempotency } from './idempotency.js';

export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/** What is used of a hono context. */
export interface HonoContext {
  readonly req: { readonly raw: Request; arrayBuffer(): Promise<ArrayBuffer> };
  readonly env: unknown;
  res: Response;
}

/**
 * Makes hono 4 middleware that calls what is inside it once per key and gives every duplicate the same answer. See
 * `idempotent` of `@holdfast/idempotency/express` for what is kept and what is not; options get the context. What handlers
 * throw becomes hono's error answer, which frees the key when it is a 5xx.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * app.use('/pay/*', idempotent(idempotency, { scope: (context) => context.get('tenant') }));
 */
export function idempotent<C extends HonoContext>(
  idempotency: Idempotency,
  options: HttpOptions<C> = {},
): (context: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const engine = createEngine(idempotency, options);
  return async (context, next) => {
    const { raw: request } = context.req;
    const { remoteAddress } = (context.env as NodeEnv)?.incoming?.socket ?? {};
    let replied: Response | undefined;
    const inner = async (): Promise<Response> => {
      await next();
      // After the key was lost hono drops what the handler gives late: there is nothing to keep.
      if (replied) throw new Error('hono has dropped the late answer');
      return context.res;
    };
    // What a validator has read, hono remembers.
    const read = (): Promise<ArrayBuffer> => context.req.arrayBuffer();
    const exchange = { subject: context, request, read, address: remoteAddress, next: inner };
    const response = await throughWeb(engine, exchange);
    if (!response) {
      await next();
      return undefined;
    }
    // Set twice, because hono merges the headers of the response before into the next one.
    context.res = undefined as never;
    replied = context.res = response;
    return undefined;
  };
}

/** What `@hono/node-server` gives. */
type NodeEnv = { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
