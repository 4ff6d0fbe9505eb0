import type { ServerResponse } from 'node:http';
import { createEngine, type HttpEngine } from './http/engine.js';
import { type NodeRequest, throughNode } from './http/node-exchange.js';
import type { HttpOptions } from './http/options.js';
import type { Idempotency } from './idempotency.js';

export { HTTP_DEFAULTS, type HttpOptions, type Preset } from './http/options.js';

/** What is used of a fastify request. */
export interface FastifyRequestLike {
  readonly raw: object;
  readonly body: unknown;
  readonly ip: string;
  readonly routeOptions: { readonly config: object };
}
interface FastifyReplyLike {
  readonly raw: object;
  getHeaders(): object;
  hijack(): unknown;
}
type Done = (error?: Error) => void;
interface FastifyLike {
  addHook(name: 'preHandler', hook: (request: never, reply: never, done: Done) => void): unknown;
}

/**
 * Makes a fastify 5 plugin that runs the handlers of the routes beside it once per key and gives every duplicate the same answer.
 * It is not encapsulated. A route's `config.idempotency` is `false`, or options of its own over these. See `idempotent` of
 * `@holdfast/idempotency/express` for what is kept and what is not.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * await app.register(idempotent(idempotency, { preset: 'stripe' }));
 */
export function idempotent<R extends FastifyRequestLike>(idempotency: Idempotency, options: HttpOptions<R> = {}) {
  const engines = new Map<unknown, HttpEngine<R>>([[undefined, createEngine(idempotency, options)]]);
  const hook = (request: R, reply: FastifyReplyLike, done: Done): void => {
    const { idempotency: own } = request.routeOptions.config as { idempotency?: false | HttpOptions<R> };
    if (own === false) return done();
    const engine = engines.get(own) ?? createEngine(idempotency, { ...options, ...own });
    engines.set(own, engine);
    const [node, response] = [request.raw as NodeRequest, reply.raw as ServerResponse];
    const pending = (): object => reply.getHeaders();
    const { body, ip: address } = request;
    throughNode(engine, { subject: request, request: node, response, body, address, pending, next: () => done() })
      .then((called) => called || reply.hijack())
      .catch(done);
  };
  const plugin = (app: FastifyLike, _options: unknown, done: Done): void => {
    app.addHook('preHandler', hook);
    done();
  };
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'holdfast-idempotency',
  });
}
