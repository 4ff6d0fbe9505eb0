import type { IncomingMessage, ServerResponse } from 'node:http';
import { armDeadline, deadlineSettings, type RequestDeadlineOptions, signalOf } from './deadline.js';

export type { Overrun, RequestDeadlineOptions } from './deadline.js';

/** The part of a koa context that is used. */
export interface KoaLikeContext {
  req: IncomingMessage;
  res: ServerResponse;
  response: object;
}

/** koa middleware. */
export type KoaDeadline = (context: KoaLikeContext, next: () => Promise<unknown>) => Promise<unknown>;

/**
 * Makes koa middleware that answers in the handler's place when time is up: 408 (or `bodyStatus`) for a body that does not
 * arrive in `bodyMs`, 503 with `Retry-After` for a handler that takes longer than `handlerMs`.
 *
 * Mount it outside of (before) the body parser and what records answers: `ctx.status` and `ctx.body` of a late answer still
 * reach the middleware mounted inside; the answer is dropped and evented only at the wire. It is really received, also by a
 * client that is still sending. An answer already begun is never rewritten: then only {@link deadlineSignal} aborts. The
 * handler itself is not stopped.
 *
 * @throws LifecycleError `LIFECYCLE_INVALID_OPTION` for a time that is no positive number of milliseconds up to 2^31-1.
 * @example
 * app.use(requestDeadline({ handlerMs: 10_000, bodyMs: 5_000 }));
 */
export function requestDeadline(options: RequestDeadlineOptions): KoaDeadline {
  const settings = deadlineSettings(options);
  return (context, next) => {
    // koa asks `res.finished`, which node itself needs to be true; without this it would drop a late answer untold.
    const onAnswered = (): void =>
      void Object.defineProperty(context.response, 'writable', { get: () => !context.res.writableEnded });
    armDeadline(context.req, context.res, settings, onAnswered);
    return next();
  };
}

/**
 * The signal that aborts when this request's deadline passes. Takes koa's context.
 *
 * @throws LifecycleError `LIFECYCLE_NO_DEADLINE` when no `requestDeadline` is mounted before the handler.
 */
export function deadlineSignal(context: Pick<KoaLikeContext, 'req'>): AbortSignal {
  return signalOf(context.req);
}
