import type { RequestHandler } from 'express';
import { HttpError } from './http-error.js';
import type { FeedEvent } from './live-feed.js';
import { overviewOf } from './overview.js';
import type { Services } from './services.js';

/** Pages that listen at one time; the next one polls. Choice: a team's browsers, far below any limit of sockets. */
const MAX_STREAMS = 50;
/** Proxies cut connections that are silent for a minute, or less. */
const HEARTBEAT_MS = 15_000;
/** A page that has not read this much is dropped; it comes back with its `Last-Event-ID`. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** A session is checked again at least so often: the page reconnects by itself. */
const LONGEST_MS = 60 * 60_000;

/**
 * `GET /api/events`: server-sent events. `overview` is everything above the lists, `alerts` are rows that changed, `reset`
 * says that events were missed and the lists must be read again.
 */
export function eventsRoute(services: Services): RequestHandler {
  const { feed, draining, log } = services;
  return (request, response) => {
    if (draining.aborted) throw new HttpError(503, 'draining', 'shutting down', { connection: 'close' });
    if (feed.subscribers >= MAX_STREAMS) {
      throw new HttpError(503, 'too_many_streams', `${MAX_STREAMS} pages listen already: poll /api/overview instead`, {
        'retry-after': '30',
      });
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    const send = (event: FeedEvent): boolean => {
      if (response.writableLength > MAX_UNREAD_BYTES) {
        log.info({ unread: response.writableLength }, 'a page that does not read its events was dropped');
        response.destroy();
        return false;
      }
      response.write(`id: ${event.id}\nevent: ${event.name}\ndata: ${event.data}\n\n`);
      return true;
    };
    const now = Date.now();
    const header = request.headers['last-event-id'];
    const asked = typeof header === 'string' ? header : textOf(request.query.lastEventId);
    const missed = feed.since(asked);
    const at = feed.position();
    if (asked !== undefined && missed === undefined) send({ id: at, name: 'reset', data: '{}' });
    for (const event of missed ?? []) send(event);
    send({ id: at, name: 'overview', data: JSON.stringify(overviewOf(services, now)) });

    const leave = feed.subscribe(send, now);
    // An event, not a comment: the page counts on hearing it, and scripts are not told of comments.
    const beat = (): void => void response.write('event: beat\ndata: {}\n\n');
    beat();
    const heartbeat = setInterval(beat, HEARTBEAT_MS);
    const end = (): void => void response.end();
    const longest = setTimeout(end, LONGEST_MS);
    draining.addEventListener('abort', end, { once: true });
    response.on('close', () => {
      leave();
      clearInterval(heartbeat);
      clearTimeout(longest);
      draining.removeEventListener('abort', end);
    });
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
