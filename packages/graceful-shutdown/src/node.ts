import type { IncomingMessage, ServerResponse } from 'node:http';
import { armDeadline, deadlineSettings, type RequestDeadlineOptions, signalOf } from './deadline.js';

export type { Overrun, RequestDeadlineOptions } from './deadline.js';

/** Middleware of the shape `(request, response, next)`. */
export type NodeDeadline = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Makes middleware that answers in the handler's place when time is up: 408 (or `bodyStatus`) for a body that does not arrive in
 * `bodyMs`, 503 with `Retry-After` for a handler that takes longer than `handlerMs`.
 *
 * Mount it outside of (before) the body parser and `idempotent()`: a late answer then still reaches the middleware mounted
 * inside, which may store it for the retry, and is dropped and evented only at the wire. The answer is really received, also by
 * a client that is still sending (lingering close, at most 1 s). An answer already begun is never rewritten: then only
 * {@link deadlineSignal} aborts. The handler itself is not stopped, it has to heed the signal.
 *
 * @throws LifecycleError `LIFECYCLE_INVALID_OPTION` for a time that is no positive number of milliseconds up to 2^31-1.
 * @example
 * const deadline = requestDeadline({ handlerMs: 10_000, bodyMs: 5_000 });
 * const server = createServer((request, response) => deadline(request, response, () => handle(request, response)));
 */
export function requestDeadline(options: RequestDeadlineOptions): NodeDeadline {
  const settings = deadlineSettings(options);
  return (request, response, next) => {
    armDeadline(request, response, settings);
    next();
  };
}

/**
 * The signal that aborts when this request's deadline passes. Pass it on to whatever the handler waits for.
 *
 * @throws LifecycleError `LIFECYCLE_NO_DEADLINE` when no `requestDeadline` is mounted before the handler.
 */
export function deadlineSignal(request: IncomingMessage): AbortSignal {
  return signalOf(request);
}
