import type http2 from 'node:http2';
import type net from 'node:net';
import type { Clock } from '@holdfast/clock';
import { BODY_GRACE_MS, type ConnectionLimits, SLOWEST_BODY_BYTES_PER_SECOND } from './connection.js';
import type { LifecycleEvent } from './events.js';
import { superviseHttp } from './http-supervisor.js';
import type { DrainOrder, Http2Server, HttpServer, Supervisor } from './supervisor.js';

type Session = http2.ServerHttp2Session;
type Stream = http2.ServerHttp2Stream;

/**
 * Watches the HTTP/2 sessions of `server` and drains them when told to: GOAWAY names the last stream that is served, those
 * in flight end, new ones are refused and may be retried elsewhere. HTTP/1 connections of a TLS server (`allowHTTP1`) and
 * those that never became a session are drained as HTTP/1 is.
 */
export function superviseHttp2(
  name: string,
  server: Http2Server,
  limits: ConnectionLimits,
  clock: Clock,
  emit: (event: LifecycleEvent) => void,
): Supervisor {
  const sessions = new Map<Session, Set<Stream>>();
  const http1 = superviseHttp(name, server as unknown as HttpServer, limits, clock, emit);
  let onQuiet = (): void => undefined;

  const onSession = (session: Session): void => {
    const streams = new Set<Stream>();
    sessions.set(session, streams);
    http1.forget(session.socket as net.Socket);
    session.on('stream', (stream: Stream) => {
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
    });
    session.once('close', () => {
      sessions.delete(session);
      if (sessions.size === 0) onQuiet();
    });
  };
  server.prependListener('session', onSession);

  const inFlight = (): number => [...sessions.values()].reduce((sum, streams) => sum + streams.size, 0);

  /** A body that moved less than the slowest rate during the grace is answered 408. */
  const watchBodies = (order: DrainOrder, onRefused: (path: string, method: string) => void): (() => void) => {
    const before = new Map<Stream, number>();
    for (const [session, streams] of sessions)
      for (const stream of streams) before.set(stream, session.socket.bytesRead);
    return clock.schedule(
      order.startedMs + BODY_GRACE_MS - clock.monotonic(),
      () => {
        for (const [session, streams] of sessions) {
          for (const stream of streams) {
            const read = session.socket.bytesRead - (before.get(stream) ?? session.socket.bytesRead);
            const slow = before.has(stream) && read * 1000 < SLOWEST_BODY_BYTES_PER_SECOND * BODY_GRACE_MS;
            if (!slow || stream.headersSent || stream.readableEnded || stream.endAfterHeaders || stream.destroyed)
              continue;
            stream.respond({ ':status': 408 }, { endStream: true });
            stream.close();
            onRefused(String(stream.sentHeaders?.[':path'] ?? ''), '');
          }
        }
      },
      { ref: true },
    );
  };

  return {
    announce: http1.announce,
    connections: () => http1.connections() + sessions.size,
    inFlight: () => http1.inFlight() + inFlight(),
    async drain(order) {
      const plain = http1.drain(order);
      const quiet = new Promise<void>((resolve) => {
        onQuiet = resolve;
        if (sessions.size === 0) resolve();
      });
      for (const session of sessions.keys()) sayGoAway(session);
      let refused = 0;
      const cancelBodies = watchBodies(order, (path, method) => {
        refused++;
        emit({ type: 'request.body_timed_out', component: name, method, path });
      });
      let cut = 0;
      const atDeadline = (): void => {
        for (const [session, streams] of sessions) {
          if (streams.size > 0) {
            cut++;
            emit({ type: 'connection.cut', component: name, why: 'timeout', inFlight: streams.size });
          }
          session.destroy();
        }
      };
      const cancelDeadline = clock.schedule(order.deadlineMs - clock.monotonic(), atDeadline, { ref: true });
      await quiet;
      cancelBodies();
      cancelDeadline();
      const result = await plain;
      result.bodiesTimedOut += refused;
      result.cut.timeout += cut;
      result.timedOut ||= cut > 0;
      return result;
    },
    detach() {
      server.removeListener('session', onSession);
      for (const session of sessions.keys()) session.destroy();
      http1.detach();
    },
  };
}

/** `session.close()` alone sends no GOAWAY on Node 20. The code is NO_ERROR, the last stream the last one begun. */
function sayGoAway(session: Session): void {
  if (session.destroyed) return;
  session.goaway();
  session.close();
}
