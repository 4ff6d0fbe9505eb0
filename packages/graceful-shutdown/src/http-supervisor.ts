import type { IncomingMessage, ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Clock } from '@holdfast/clock';
import {
  type Connection,
  type ConnectionEvent,
  type ConnectionLimits,
  type Decision,
  type DrainFacts,
  decide,
  FIN_GRACE_MS,
  GOODBYE_GRACE_MS,
  step,
} from './connection.js';
import { answerOverHead } from './deadline.js';
import type { LifecycleEvent } from './events.js';
import { announce, type Exchange, isEventStream, peerOf, unsentBytes } from './exchange.js';
import { follow } from './follow.js';
import { givePlace, guarded, pathOf } from './late-answer.js';
import { closeListener, type DrainOrder, type DrainResult, type HttpServer, type Supervisor } from './supervisor.js';

interface Tracked {
  readonly socket: net.Socket;
  state: Connection;
  newest: Exchange | undefined;
  cancelLook: (() => void) | undefined;
}

/** Between two looks at every connection while serving. */
const SWEEP_MS = 1_000;
/** RFC 6455 close frame: FIN + opcode 8, two bytes of payload, code 1001 "going away". Servers send unmasked. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
const LAST_EVENT = 'event: shutdown\ndata: {}\n\n';
const BARE_408 = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/**
 * Watches the HTTP/1 connections of `server` from now on and drains them when told to. It adds no listener that would
 * change how the server behaves ('upgrade', 'checkContinue' … are followed only where the server has its own).
 */
export function superviseHttp(
  name: string,
  server: HttpServer,
  limits: ConnectionLimits,
  clock: Clock,
  emit: (event: LifecycleEvent) => void,
): Supervisor & { forget(socket: net.Socket): void } {
  const connections = new Map<net.Socket, Tracked>();
  /** Connections that may yet become something else: a TLS socket, an HTTP/2 session. */
  const handshakes = new Map<string, net.Socket>();
  let announcing = false;
  let drain: (DrainFacts & { result: DrainResult; done: () => void }) | undefined;
  let cancelSweep: (() => void) | undefined;

  const apply = (tracked: Tracked, event: ConnectionEvent): void => {
    tracked.state = step(tracked.state, event);
  };

  const track = (socket: net.Socket): Tracked => {
    const known = connections.get(socket);
    if (known) return known;
    const state: Connection = { kind: 'fresh', sinceMs: clock.monotonic(), read: socket.bytesRead };
    const tracked: Tracked = { socket, state, newest: undefined, cancelLook: undefined };
    connections.set(socket, tracked);
    socket.once('close', () => {
      tracked.cancelLook?.();
      apply(tracked, { type: 'closed' });
      connections.delete(socket);
      if (connections.size === 0) drain?.done();
    });
    cancelSweep ??= clock.schedule(SWEEP_MS, sweep);
    if (drain) look(tracked);
    return tracked;
  };

  const onConnection = (socket: net.Socket): void => {
    track(socket);
    if (!layered) return;
    const peer = peerOf(socket);
    handshakes.set(peer, socket);
    socket.once('close', () => {
      if (handshakes.get(peer) === socket) handshakes.delete(peer);
    });
  };

  /** Stops watching the raw socket beneath `socket`, which is watched in its place. */
  const forget = (socket: net.Socket): void => {
    const raw = handshakes.get(peerOf(socket));
    const tracked = raw && connections.get(raw);
    if (!tracked) return;
    tracked.cancelLook?.();
    connections.delete(tracked.socket);
    if (connections.size === 0) drain?.done();
  };

  const onSecureConnection = (secure: net.Socket): void => {
    const known = track(secure);
    forget(secure);
    handshakes.set(peerOf(secure), known.socket);
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.httpVersionMajor >= 2) return;
    const tracked = track(request.socket);
    if (tracked.state.kind === 'ending') {
      emit({ type: 'request.unanswerable', component: name, method: request.method ?? '', path: pathOf(request) });
      return;
    }
    const previous = tracked.newest;
    const exchange: Exchange = { request, response, keepAlive: response.shouldKeepAlive, guard: undefined };
    givePlace(request, response, exchange);
    tracked.newest = exchange;
    apply(tracked, { type: 'request' });
    if (announcing) {
      // Only the newest response of a pipelined connection may say `close`: node ends the connection after it.
      if (previous && !previous.response.headersSent) previous.response.shouldKeepAlive = previous.keepAlive;
      announce(exchange, clock);
    }
    response.on('close', () => {
      if (tracked.newest === exchange) tracked.newest = undefined;
      apply(tracked, { type: 'answered', atMs: clock.monotonic(), read: tracked.socket.bytesRead });
      if (drain && tracked.state.kind !== 'closed') look(tracked);
    });
    if (drain) look(tracked);
  };

  const onUpgrade = (request: IncomingMessage, socket: net.Socket): void => {
    const protocol = request.headers.upgrade?.toLowerCase() === 'websocket' ? 'websocket' : 'other';
    const tracked = track(socket);
    apply(tracked, { type: 'upgraded', atMs: clock.monotonic(), protocol });
    if (drain) look(tracked);
  };

  const sample = (tracked: Tracked, atMs: number): void => {
    const { socket, newest } = tracked;
    const request = newest?.request;
    const body =
      !request || request.complete
        ? 'complete'
        : request.readableLength >= request.readableHighWaterMark
          ? 'blocked'
          : 'arriving';
    const answerBegun = newest?.response.headersSent ?? false;
    const unsent = answerBegun ? unsentBytes(socket, newest!.response) : 0;
    apply(tracked, { type: 'sampled', atMs, read: socket.bytesRead, body, answerBegun, unsent });
  };

  /** Decides about one connection, acts, and comes back when it is due. */
  const look = (tracked: Tracked): void => {
    tracked.cancelLook?.();
    tracked.cancelLook = undefined;
    const now = clock.monotonic();
    sample(tracked, now);
    const decision = decide(tracked.state, limits, drain, now, isEventStream(tracked.newest));
    if (decision.do !== 'wait') act(tracked, decision, now);
    else if (drain && Number.isFinite(decision.untilMs))
      tracked.cancelLook = clock.schedule(decision.untilMs - now, () => look(tracked), { ref: true });
  };

  const act = (tracked: Tracked, decision: Exclude<Decision, { do: 'wait' }>, now: number): void => {
    const { socket } = tracked;
    switch (decision.do) {
      case 'end':
      case 'reject-head':
        if (decision.do === 'reject-head' && socket.writable && (!layered || 'encrypted' in socket))
          socket.write(BARE_408);
        socket.end();
        ended(tracked, now, FIN_GRACE_MS);
        return;
      case 'answer-408':
        answer408(tracked);
        return;
      case 'say-goodbye':
        sayGoodbye(tracked, now);
        return;
      case 'cut':
        if (decision.why !== 'closing') {
          const inFlight = 'open' in tracked.state ? tracked.state.open : 0;
          emit({ type: 'connection.cut', component: name, why: decision.why, inFlight });
          if (drain) {
            drain.result.cut[decision.why]++;
            if (decision.why === 'timeout') drain.result.timedOut = true;
          }
        }
        socket.destroy();
    }
  };

  const ended = (tracked: Tracked, atMs: number, graceMs: number): void => {
    apply(tracked, { type: 'ended', atMs, graceMs });
    if (drain) look(tracked);
    else tracked.cancelLook = clock.schedule(graceMs, () => look(tracked));
  };

  const answer408 = (tracked: Tracked): void => {
    const { request, response } = tracked.newest!;
    const answered = answerOverHead(guarded(request, response), request, response, clock, {
      status: 408,
      headers: { 'cache-control': 'no-store' },
      code: 'REQUEST_BODY_TIMEOUT',
      message: 'the server is shutting down and the request body did not arrive in time',
      onDropped: () => undefined,
    });
    if (drain && drain.deadlineMs <= clock.monotonic()) drain.result.timedOut = true;
    if (answered) {
      if (drain) drain.result.bodiesTimedOut++;
      emit({ type: 'request.body_timed_out', component: name, method: request.method ?? '', path: pathOf(request) });
      // The lingering close ends it; a client that does not even take the 408 is cut a little later.
      const cut = (): void => void tracked.socket.destroy(new Error('the 408 was not taken'));
      const alone = 'open' in tracked.state && tracked.state.open === 1;
      tracked.cancelLook = clock.schedule(CUT_UNHEARD_MS, alone ? cut : () => look(tracked), { ref: true });
    } else tracked.socket.destroy();
  };

  const sayGoodbye = (tracked: Tracked, now: number): void => {
    const webSocket = tracked.state.kind === 'upgraded';
    if (drain) drain.result.toldGoodbye++;
    emit({ type: 'stream.told_goodbye', component: name, kind: webSocket ? 'websocket' : 'event-stream' });
    if (webSocket) {
      if (tracked.socket.writable) tracked.socket.end(GOING_AWAY);
    } else {
      tracked.newest!.response.end(LAST_EVENT);
      tracked.socket.end();
    }
    ended(tracked, now, GOODBYE_GRACE_MS);
  };

  /** While serving: slow heads and stalled readers. */
  const sweep = (): void => {
    cancelSweep = undefined;
    if (drain) return;
    for (const tracked of connections.values()) if (tracked.state.kind !== 'upgraded') look(tracked);
    if (connections.size > 0) cancelSweep = clock.schedule(SWEEP_MS, sweep);
  };

  const announceAll = (): void => {
    announcing = true;
    for (const { newest } of connections.values()) if (newest) announce(newest, clock);
  };

  const onDrop = (): void =>
    emit({ type: 'connection.dropped', component: name, maxConnections: server.maxConnections ?? 0 });

  const layered = server.listenerCount('secureConnection') > 0 || 'updateSettings' in server;
  const unfollow = [
    ['connection', onConnection],
    ['secureConnection', onSecureConnection],
    ['drop', onDrop],
    ['request', onRequest],
    ['upgrade', onUpgrade],
    ['connect', onUpgrade],
    ['checkContinue', onRequest],
    ['checkExpectation', onRequest],
  ].map(([event, listener]) => follow(server, event as string, listener as () => void));

  return {
    forget,
    announce: announceAll,
    connections: () => connections.size,
    inFlight: () => {
      let open = 0;
      for (const { state } of connections.values()) if ('open' in state) open += state.open;
      return open;
    },
    async drain(order: DrainOrder) {
      // First stop accepting, then announce: a client told to reconnect must not find a listener about to vanish.
      await closeListener(server, clock);
      return new Promise((resolve) => {
        const result: DrainResult = {
          timedOut: false,
          bodiesTimedOut: 0,
          toldGoodbye: 0,
          cut: { stalled: 0, timeout: 0 },
        };
        cancelSweep?.();
        drain = { ...order, keepAliveTimeoutMs: server.keepAliveTimeout ?? 0, result, done: () => resolve(result) };
        announceAll();
        for (const tracked of [...connections.values()]) look(tracked);
        if (connections.size === 0) resolve(result);
      });
    },
    detach() {
      cancelSweep?.();
      for (const stop of unfollow) stop();
      for (const { socket } of connections.values()) socket.destroy();
    },
  };
}

/** A little more than the lingering close takes. */
const CUT_UNHEARD_MS = 1_500;
