import type http from 'node:http';
import type http2 from 'node:http2';
import type https from 'node:https';
import net from 'node:net';

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
  /** Stops accepting, in this very call, and resolves when every connection is closed, at the latest at the deadline. */
  drain(order: DrainOrder): Promise<DrainResult>;
  connections(): number;
  inFlight(): number;
  /** Removes every listener; destroys what is left. */
  detach(): void;
}

/**
 * Stops accepting with the close of `net` only. `http.Server.close` would also close idle connections at once, on which a
 * client may be writing a request this very moment, and would stop the check of request timeouts.
 */
export function closeListener(server: net.Server): void {
  if (server.listening) net.Server.prototype.close.call(server);
  // The checker's timer holds no process, but it would hold the server.
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    if (symbol.description !== 'http.server.connectionsCheckingInterval') continue;
    const timer = (server as unknown as Record<symbol, NodeJS.Timeout | undefined>)[symbol];
    server.once('close', () => clearInterval(timer));
  }
}
