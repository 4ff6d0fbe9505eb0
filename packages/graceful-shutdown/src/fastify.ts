import type { IncomingMessage, ServerResponse } from 'node:http';
import { armDeadline, deadlineSettings, type RequestDeadlineOptions, signalOf } from './deadline.js';

export type { Overrun, RequestDeadlineOptions } from './deadline.js';

/** The part of a fastify request that is used. */
export interface FastifyLikeRequest {
  raw: IncomingMessage;
}

/** The part of a fastify instance that is used. */
export interface FastifyLikeApp {
  addHook(
    name: 'onRequest',
    hook: (request: FastifyLikeRequest, reply: { raw: ServerResponse }, done: () => void) => void,
  ): unknown;
}

/** A fastify plugin that is not encapsulated: it holds for the instance it is registered on. */
export type FastifyDeadline = (app: FastifyLikeApp, options: unknown, done: () => void) => void;

/**
 * Makes a fastify plugin that answers in the handler's place when time is up: 408 (or `bodyStatus`) for a body that does not
 * arrive in `bodyMs`, 503 with `Retry-After` for a handler that takes longer than `handlerMs`.
 *
 * Register it before plugins that record answers: their hooks then still see the late answer as the handler gave it; it is
 * dropped and evented only at the wire. The answer is really received, also by a client that is still sending. An answer
 * already begun is never rewritten: then only {@link deadlineSignal} aborts. The handler itself is not stopped.
 *
 * @throws LifecycleError `LIFECYCLE_INVALID_OPTION` for a time that is no positive number of milliseconds up to 2^31-1.
 * @example
 * await app.register(requestDeadline({ handlerMs: 10_000, bodyMs: 5_000 }));
 */
export function requestDeadline(options: RequestDeadlineOptions): FastifyDeadline {
  const settings = deadlineSettings(options);
  const plugin: FastifyDeadline = (app, _options, done) => {
    app.addHook('onRequest', (request, reply, next) => {
      armDeadline(request.raw, reply.raw, settings);
      next();
    });
    done();
  };
  // What fastify-plugin sets: the hook holds for the routes beside the plugin, not only for those inside it.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@holdfast/graceful-shutdown deadline',
  });
}

/**
 * The signal that aborts when this request's deadline passes. Takes fastify's request.
 *
 * @throws LifecycleError `LIFECYCLE_NO_DEADLINE` when no `requestDeadline` is registered before the route.
 */
export function deadlineSignal(request: FastifyLikeRequest): AbortSignal {
  return signalOf(request.raw);
}
