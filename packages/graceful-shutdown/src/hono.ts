import type { IncomingMessage, ServerResponse } from 'node:http';
import { armDeadline, deadlineSettings, type RequestDeadlineOptions, signalOf } from './deadline.js';
import { refuse } from './options.js';

export type { Overrun, RequestDeadlineOptions } from './deadline.js';

/** The part of a hono context that is used: `env` is what `@hono/node-server` puts there. */
export interface HonoLikeContext {
  env: unknown;
}

/** hono middleware. */
export type HonoDeadline = (context: HonoLikeContext, next: () => Promise<void>) => Promise<void>;

/**
 * Makes hono middleware that answers in the handler's place when time is up: 408 (or `bodyStatus`) for a body that does not
 * arrive in `bodyMs`, 503 with `Retry-After` for a handler that takes longer than `handlerMs`.
 *
 * For apps served by `@hono/node-server`; it works on node's own request and response beneath hono's, because only there can
 * an answer be made to be received by a client that is still sending. Mount it outside of (before) what records answers. An
 * answer already begun is never rewritten: then only {@link deadlineSignal} aborts. The handler itself is not stopped.
 *
 * @throws LifecycleError `LIFECYCLE_INVALID_OPTION` for a time that is no positive number of milliseconds up to 2^31-1, and,
 *   when a request comes, for an app that is not served by `@hono/node-server`.
 * @example
 * app.use(requestDeadline({ handlerMs: 10_000, bodyMs: 5_000 }));
 */
export function requestDeadline(options: RequestDeadlineOptions): HonoDeadline {
  const settings = deadlineSettings(options);
  return (context, next) => {
    const { incoming, outgoing } = bindingsOf(context);
    armDeadline(incoming, outgoing, settings);
    return next();
  };
}

/**
 * The signal that aborts when this request's deadline passes. Takes hono's context.
 *
 * @throws LifecycleError `LIFECYCLE_NO_DEADLINE` when no `requestDeadline` is mounted before the handler.
 */
export function deadlineSignal(context: HonoLikeContext): AbortSignal {
  return signalOf(bindingsOf(context).incoming);
}

function bindingsOf({ env }: HonoLikeContext): { incoming: IncomingMessage; outgoing: ServerResponse } {
  const bindings = env as { incoming?: IncomingMessage; outgoing?: ServerResponse } | undefined;
  if (bindings?.incoming === undefined || bindings.outgoing === undefined)
    refuse('env', "must hold node's incoming and outgoing: serve the app with @hono/node-server", env);
  return { incoming: bindings.incoming, outgoing: bindings.outgoing };
}
