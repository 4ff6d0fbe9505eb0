import type { IncomingMessage, ServerResponse } from 'node:http';
import { armDeadline, deadlineSettings, type RequestDeadlineOptions, signalOf } from './deadline.js';

export type { Overrun, RequestDeadlineOptions } from './deadline.js';

/** Middleware of the shape `(request, response, next)`. */
export type NodeDeadline = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Makes middleware for a plain `node:http` server that answers in the handler's place when time is up: 408 for a body that
 * does not arrive in `bodyMs`, 503 with `Retry-After` for a handler that takes longer than `handlerMs`.
 *
 * The answer is really received, also by a client that is still sending (lingering close, at most 1 s). A late answer is
 * dropped and evented. An answer already begun is never rewritten: then only {@link deadlineSignal} aborts. The handler
 * itself is not stopped, it has to heed the signal.
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
