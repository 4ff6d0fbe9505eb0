import type http from 'node:http';
import type http2 from 'node:http2';
import type https from 'node:https';
import net from 'node:net';
import type { Clock } from '@holdfast/clock';

/** An HTTP/1 server. */
export type HttpServer = (http.Server | https.Server) & { maxConnections?: number };
/** An HTTP/2 server, in clear or over TLS. */
export type Http2Server = http2.Http2Server | http2.Http2SecureServer;

/** The times of one drain, on the monotonic clock. */
export interface DrainOrder {
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly keepAliveGraceMs: number;
}

/** How a server's drain ended. */
export interface DrainResult {
  /** Something was still in flight when `drainTimeoutMs` had passed, and was cut. */
  timedOut: boolean;
  /** Requests answered with 408 because their body did not arrive. */
  bodiesTimedOut: number;
  /** WebSockets and event streams that did not end by themselves after `signal`. */
  toldGoodbye: number;
  /** Connections destroyed: readers that took nothing for `writeStallMs`, and what was left at the deadline. */
  readonly cut: { stalled: number; timeout: number };
}

/** What the lifecycle does with a server's connections. */
export interface Supervisor {
  /** From now on responses say `Connection: close` (HTTP/1). */
  announce(): void;
  /** Stops accepting, beginning in this very call, and resolves when every connection is closed, at the latest at the deadline. */
  drain(order: DrainOrder): Promise<DrainResult>;
  connections(): number;
  inFlight(): number;
  /** Removes every listener; destroys what is left. */
  detach(): void;
}

/**
 * How long connections that the kernel has queued may take to be accepted before the listener closes. Choice: also where a
 * starved machine needs 10 ms for a turn, 150 are accepted by then.
 */
const EMPTY_QUEUE_MS = 1_500;
/** A turn longer than this ran other callbacks after it had looked at the queue; an empty one takes some 0.05 ms. */
const QUIET_TURN_MS = 0.5;

/**
 * Stops accepting, and resolves when the listener is closed. Closing it resets every connection that the kernel has queued
 * and node has not accepted yet, whose client may have sent its request. So the queue is first shut at the back (listen
 * again with the smallest backlog: the kernel leaves new clients waiting for their handshake, and refuses them after the
 * close), then emptied: node accepts one connection in each turn of the event loop, and a short turn that brings none has
 * just seen it empty.
 *
 * It is the close of `net` only. `http.Server.close` would also close idle connections at once, on which a client may be
 * writing a request this very moment, and would stop the check of request timeouts.
 */
export function closeListener(server: net.Server, clock: Clock): Promise<void> {
  stopCheckerAtClose(server);
  if (!server.listening) return Promise.resolve();
  shrinkBacklog(server);
  const startedMs = clock.monotonic();
  let turnMs = startedMs;
  let accepted = false;
  const onConnection = (): void => {
    accepted = true;
  };
  server.on('connection', onConnection);
  return new Promise((resolve) => {
    const turn = (): void => {
      const now = clock.monotonic();
      const quiet = !accepted && now - turnMs <= QUIET_TURN_MS;
      if (quiet || now - startedMs >= EMPTY_QUEUE_MS) {
        if (server.listening) net.Server.prototype.close.call(server);
        server.removeListener('connection', onConnection);
        resolve();
        return;
      }
      accepted = false;
      turnMs = clock.monotonic();
      setImmediate(turn);
    };
    setImmediate(() => {
      turnMs = clock.monotonic();
      accepted = false;
      setImmediate(turn);
    });
  });
}

/** Does nothing where there is no such handle, in a cluster worker. */
function shrinkBacklog(server: net.Server): void {
  const handle = (server as unknown as { _handle?: { listen?: (backlog: number) => number } | null })._handle;
  try {
    handle?.listen?.(0);
  } catch {
    // The backlog stays as it is.
  }
}

/** The checker's timer holds no process, but it would hold the server. */
function stopCheckerAtClose(server: net.Server): void {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    if (symbol.description !== 'http.server.connectionsCheckingInterval') continue;
    const timer = (server as unknown as Record<symbol, NodeJS.Timeout | undefined>)[symbol];
    server.once('close', () => clearInterval(timer));
  }
}
