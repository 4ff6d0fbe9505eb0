/**
 * One HTTP/1 connection as the drain sees it: a pure state machine. The I/O around it (http-supervisor.ts) reports what
 * happened as events, asks `decide` what to do, and does it.
 */
export type Connection =
  /** Accepted; no byte of a request has arrived. `read` is the socket's byte count then (a TLS handshake is not a request). */
  | { readonly kind: 'fresh'; readonly sinceMs: number; readonly read: number }
  /** Part of a request head has arrived. `idleSinceMs` is when the last answer ended, `undefined` if there was none. */
  | { readonly kind: 'head'; readonly sinceMs: number; readonly idleSinceMs: number | undefined }
  /** Kept alive after an answer that ended at `sinceMs`. */
  | { readonly kind: 'idle'; readonly sinceMs: number; readonly read: number }
  /** Requests in flight, not looked at more closely. */
  | { readonly kind: 'active'; readonly open: number }
  /** The body of the newest request is still arriving; `bytesPerSecond` over the last sampling window. */
  | {
      readonly kind: 'receiving';
      readonly open: number;
      readonly read: number;
      readonly sampledMs: number;
      readonly bytesPerSecond: number | undefined;
    }
  /** Everything has been received, the handler is at work (or streams an answer that the client takes). */
  | { readonly kind: 'handling'; readonly open: number }
  /** An answer waits for the client to take it; `unsent` last changed at `progressMs`. */
  | { readonly kind: 'sending'; readonly open: number; readonly unsent: number; readonly progressMs: number }
  /** A WebSocket or a tunnel: no HTTP any more. */
  | { readonly kind: 'upgraded'; readonly protocol: 'websocket' | 'other'; readonly sinceMs: number }
  /** Our FIN is sent; the peer has a moment to send its own. */
  | { readonly kind: 'ending'; readonly untilMs: number }
  | { readonly kind: 'closed' };

/** What can happen to a connection. */
export type ConnectionEvent =
  | { readonly type: 'request' }
  /** A response is closed: sent, or cut off. */
  | { readonly type: 'answered'; readonly atMs: number; readonly read: number }
  | { readonly type: 'upgraded'; readonly atMs: number; readonly protocol: 'websocket' | 'other' }
  /** Looked at: bytes read so far, the newest request's body, bytes of the answer that the peer has not taken. */
  | {
      readonly type: 'sampled';
      readonly atMs: number;
      readonly read: number;
      /** `blocked`: the handler does not read what has arrived, so the client can't be blamed. */
      readonly body: 'complete' | 'arriving' | 'blocked';
      readonly answerBegun: boolean;
      readonly unsent: number;
    }
  /** We sent FIN. */
  | { readonly type: 'ended'; readonly atMs: number; readonly graceMs: number }
  | { readonly type: 'closed' };

/** The shortest window over which the rate of a body is judged. */
const RATE_WINDOW_MS = 900;

/** The state after `event`. Total: an event that can't change a state leaves it as it is. */
export function step(state: Connection, event: ConnectionEvent): Connection {
  if (event.type === 'closed') return { kind: 'closed' };
  if (state.kind === 'closed') return state;
  if (event.type === 'ended')
    return state.kind === 'ending' ? state : { kind: 'ending', untilMs: event.atMs + event.graceMs };
  if (state.kind === 'ending' || state.kind === 'upgraded') return state;
  switch (event.type) {
    case 'request':
      return { kind: 'active', open: 'open' in state ? state.open + 1 : 1 };
    case 'upgraded':
      return { kind: 'upgraded', protocol: event.protocol, sinceMs: event.atMs };
    case 'answered':
      if (!('open' in state)) return state;
      if (state.open > 1) return { kind: 'active', open: state.open - 1 };
      return { kind: 'idle', sinceMs: event.atMs, read: event.read };
    case 'sampled':
      return sampled(state, event);
  }
}

type Sample = Extract<ConnectionEvent, { type: 'sampled' }>;

function sampled(state: Exclude<Connection, { kind: 'closed' | 'ending' | 'upgraded' }>, sample: Sample): Connection {
  switch (state.kind) {
    case 'head':
      return state;
    case 'fresh':
      return sample.read > state.read ? { kind: 'head', sinceMs: sample.atMs, idleSinceMs: undefined } : state;
    case 'idle':
      return sample.read > state.read ? { kind: 'head', sinceMs: sample.atMs, idleSinceMs: state.sinceMs } : state;
    case 'active':
    case 'receiving':
    case 'handling':
    case 'sending':
      break;
  }
  const { open } = state;
  if (sample.answerBegun) {
    if (sample.unsent === 0) return { kind: 'handling', open };
    const stuck = state.kind === 'sending' && state.unsent === sample.unsent;
    return { kind: 'sending', open, unsent: sample.unsent, progressMs: stuck ? state.progressMs : sample.atMs };
  }
  if (sample.body === 'complete') return { kind: 'handling', open };
  const before = state.kind === 'receiving' && sample.body === 'arriving' ? state : undefined;
  if (before && sample.atMs - before.sampledMs < RATE_WINDOW_MS) return before;
  const bytesPerSecond = before && ((sample.read - before.read) * 1000) / (sample.atMs - before.sampledMs);
  return { kind: 'receiving', open, read: sample.read, sampledMs: sample.atMs, bytesPerSecond };
}

/** The limits that hold at any time. */
export interface ConnectionLimits {
  readonly headersTimeoutMs: number;
  readonly writeStallMs: number;
}

/** The drain that is going on. */
export interface DrainFacts {
  readonly startedMs: number;
  readonly deadlineMs: number;
  /** The server's keepAliveTimeout: the promise made with each answer. 0 means it never times out. */
  readonly keepAliveTimeoutMs: number;
  readonly keepAliveGraceMs: number;
}

/** What to do with a connection now. */
export type Decision =
  | { readonly do: 'wait'; readonly untilMs: number }
  /** Send FIN. */
  | { readonly do: 'end' }
  /** Answer the half-sent head with a bare 408 and send FIN. */
  | { readonly do: 'reject-head' }
  /** Answer the request whose body does not arrive with 408. */
  | { readonly do: 'answer-408' }
  /** Say goodbye to a stream that did not end by itself: close frame 1001, a last event. */
  | { readonly do: 'say-goodbye' }
  | { readonly do: 'cut'; readonly why: 'stalled' | 'timeout' | 'closing' };

/** A socket that never carried a request has no promise attached: it gets this long once the drain has begun. */
export const FRESH_GRACE_MS = 500;
/** A body gets this long before its rate is judged; Kestrel's grace is 5 s, the drain is in more of a hurry. */
export const BODY_GRACE_MS = 2_000;
/** Below this a body is not arriving in earnest; Kestrel's MinRequestBodyDataRate is 240 bytes a second. */
export const SLOWEST_BODY_BYTES_PER_SECOND = 240;
/** How long the handler of a WebSocket or an event stream has to end it after `signal` has aborted. Choice. */
export const STREAM_GRACE_MS = 2_000;
/** After our FIN: how long the peer has to send its own before the socket is destroyed. */
export const FIN_GRACE_MS = 250;
/** The same after a WebSocket's close frame: the peer has to answer with its own first. */
export const GOODBYE_GRACE_MS = 1_000;
/** How often a connection is looked at while its progress matters. */
const LOOK_EVERY_MS = 250;

/**
 * What to do with a connection at `nowMs`, during a drain (`drain` given) or while serving.
 *
 * `isEventStream` says that the answer in flight is server-sent events.
 */
export function decide(
  state: Connection,
  limits: ConnectionLimits,
  drain: DrainFacts | undefined,
  nowMs: number,
  isEventStream = false,
): Decision {
  const due = (atMs: number, action: Decision): Decision =>
    nowMs >= atMs || (drain && nowMs >= drain.deadlineMs)
      ? action
      : { do: 'wait', untilMs: Math.min(atMs, drain?.deadlineMs ?? atMs) };
  const timeout = (lookAgainMs: number): Decision =>
    drain && nowMs >= drain.deadlineMs
      ? { do: 'cut', why: 'timeout' }
      : { do: 'wait', untilMs: Math.min(drain?.deadlineMs ?? lookAgainMs, lookAgainMs) };

  switch (state.kind) {
    case 'closed':
      return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
    case 'ending':
      return due(state.untilMs, { do: 'cut', why: 'closing' });
    case 'fresh':
      if (!drain) return due(state.sinceMs + limits.headersTimeoutMs, { do: 'end' });
      return due(drain.startedMs + FRESH_GRACE_MS, { do: 'end' });
    case 'head': {
      const reject: Decision = state.idleSinceMs === undefined ? { do: 'reject-head' } : { do: 'end' };
      if (!drain) return due(state.sinceMs + limits.headersTimeoutMs, reject);
      const promised = state.idleSinceMs === undefined ? drain.startedMs : promiseEndMs(state.idleSinceMs, drain);
      return due(Math.max(promised, Math.max(state.sinceMs, drain.startedMs) + FRESH_GRACE_MS), reject);
    }
    case 'idle':
      if (!drain) return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
      return due(promiseEndMs(state.sinceMs, drain), { do: 'end' });
    case 'receiving': {
      if (!drain) return timeout(Number.POSITIVE_INFINITY);
      const slow = state.bytesPerSecond !== undefined && state.bytesPerSecond < SLOWEST_BODY_BYTES_PER_SECOND;
      if (nowMs >= drain.deadlineMs || (slow && nowMs - drain.startedMs >= BODY_GRACE_MS)) return { do: 'answer-408' };
      return timeout(Math.max(drain.startedMs + BODY_GRACE_MS, state.sampledMs + RATE_WINDOW_MS));
    }
    case 'sending': {
      const stalledFor = nowMs - state.progressMs;
      if (stalledFor >= limits.writeStallMs) return { do: 'cut', why: 'stalled' };
      if (!drain) return { do: 'wait', untilMs: state.progressMs + limits.writeStallMs };
      // A reader that took nothing during the whole drain is a stalled one, also when drainTimeoutMs is the shorter time.
      const tookNothing = state.progressMs <= drain.startedMs + LOOK_EVERY_MS * 2;
      if (nowMs >= drain.deadlineMs && tookNothing) return { do: 'cut', why: 'stalled' };
      return timeout(nowMs + LOOK_EVERY_MS);
    }
    case 'active':
    case 'handling':
      if (!drain) return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
      if (isEventStream && nowMs >= drain.startedMs + STREAM_GRACE_MS) return { do: 'say-goodbye' };
      return timeout(isEventStream ? drain.startedMs + STREAM_GRACE_MS : nowMs + LOOK_EVERY_MS);
    case 'upgraded':
      if (!drain) return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
      if (state.protocol === 'websocket') return due(drain.startedMs + STREAM_GRACE_MS, { do: 'say-goodbye' });
      return timeout(drain.deadlineMs);
  }
}

/**
 * An idle client may be writing a request this very moment: it was promised keepAliveTimeout since its last answer. Where
 * that is longer than the grace, the promise is cut at the grace after the listener closed.
 */
function promiseEndMs(idleSinceMs: number, drain: DrainFacts): number {
  const graceEnd = drain.startedMs + drain.keepAliveGraceMs;
  return drain.keepAliveTimeoutMs === 0 ? graceEnd : Math.min(idleSinceMs + drain.keepAliveTimeoutMs, graceEnd);
}
