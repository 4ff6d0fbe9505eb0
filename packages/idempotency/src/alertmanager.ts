import { createHash } from 'node:crypto';
import { refuseOption } from './errors.js';
import { planRequest } from './http/request-key.js';
import type { Key, LaneKey } from './key.js';
import { duration } from './options.js';
import { sortedJson } from './sorted-json.js';

/** How Alertmanager is configured; the defaults are Alertmanager's own. */
export interface AlertmanagerOptions {
  /** The route's group_interval, milliseconds. @defaultValue 300_000 */
  groupIntervalMs?: number | undefined;
  /** How many Alertmanagers post here. @defaultValue 2 */
  peers?: number | undefined;
  /** Their `--cluster.peer-timeout`, milliseconds. @defaultValue 15_000 */
  peerTimeoutMs?: number | undefined;
  /** The route's repeat_interval. Only needed when it is shorter than the window; it then caps it at 0.95 of it. Milliseconds. */
  repeatIntervalMs?: number | undefined;
}

/** What is read of a webhook body (version 4). Everything may be missing; unknown fields are ignored. */
export interface AlertmanagerPayload {
  readonly groupKey?: string | undefined;
  readonly receiver?: string | undefined;
  readonly groupLabels?: Readonly<Record<string, string>> | undefined;
  readonly truncatedAlerts?: number | undefined;
  readonly notification_reason?: string | undefined;
  readonly externalURL?: string | undefined;
  readonly alerts?: readonly AlertmanagerAlert[] | undefined;
}

/** One alert of a webhook body. */
export interface AlertmanagerAlert {
  readonly status?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly startsAt?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Defaults of {@link alertmanager}. */
export const ALERTMANAGER_DEFAULTS = {
  /** Alertmanager's own default. */
  groupIntervalMs: 5 * 60 * 1000,
  /** A pair is what its documentation recommends; one peer too many only lengthens the window by 15 s. */
  peers: 2,
  /** `--cluster.peer-timeout`'s default. */
  peerTimeoutMs: 15_000,
} as const;

/** A notification is retried for max(group_interval, 10 s): `dispatch.go`. */
const SHORTEST_FLUSH_MS = 10_000;
const REPEAT = 'repeat interval elapsed';

/** What {@link webhookKey} looks at of a request. */
export interface WebhookRequest {
  /** The parsed body. */
  readonly body: unknown;
  /** The `Idempotency-Key` header. */
  readonly header?: string | readonly string[] | undefined;
  /** The address of who posted, after trusted proxies. */
  readonly sender?: string | undefined;
  /** Which endpoint and tenant it is for. @defaultValue '' */
  readonly scope?: string | undefined;
}

/**
 * What preset `webhook` decides, for handlers that call `execute` themselves: a body with a groupKey goes by its lane (a header
 * beside it is ignored), another one by its `Idempotency-Key` and a hash of the body. `undefined`: run it, each such post is
 * new, since a hash of the body alone would swallow an intended repeat.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * const keyOf = webhookKey({ groupIntervalMs: 60_000 });
 * const key = keyOf({ body: request.body, header: request.headers['idempotency-key'], sender: request.ip });
 */
export function webhookKey(options: AlertmanagerOptions = {}): (request: WebhookRequest) => Key | undefined {
  const laneOf = alertmanager(options);
  return ({ body, header, sender, scope = '' }) => {
    const keyHeaders = header === undefined ? [] : [header].flat();
    const facts = { method: 'POST', path: '', keyHeaders, authorization: undefined, scope, body, given: undefined };
    const plan = planRequest(facts, 'webhook', (payload) => laneOf(payload, { sender }));
    return plan.do === 'execute' ? plan.key : undefined;
  };
}

const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Makes the key of an Alertmanager delivery: a lane per receiver and groupKey, whose state is the set of alerts with their
 * fingerprints, firing (since when) or resolved. Retries and copies from HA peers are absorbed; resolved notices, re-fires
 * and intended repeats run.
 *
 * The window is the longest that a retry can take: max(group_interval, 10 s) + group_interval + (peers - 1) x peer timeout.
 * Not told apart: with `send_resolved: false`, a re-fire with an unchanged startsAt inside the window.
 *
 * `sender` is the address of the peer that posted, after trusted proxies; together with externalURL it tells a stale peer.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION`
 * @example
 * const keyOf = alertmanager({ groupIntervalMs: 5 * 60_000, peers: 2 });
 * await idempotency.run(keyOf(payload, { sender: request.ip }), (op) => notify(payload, op.id));
 */
export function alertmanager(
  options: AlertmanagerOptions = {},
): (payload: AlertmanagerPayload, from?: { sender?: string | undefined }) => LaneKey {
  const { windowMs, lateMs, repeatMs, retryMs } = alertmanagerTimes(options);
  return (payload, from = {}) => {
    const { groupKey } = payload;
    const group = groupKey === undefined ? `labels ${sortedJson(payload.groupLabels ?? {})}` : text(groupKey);
    return {
      lane: ['alertmanager', short(text(payload.receiver)), short(group)],
      state: stateOf(payload),
      windowMs,
      late: { ms: lateMs, sender: short(`${text(payload.externalURL)} ${from.sender ?? ''}`) },
      repeat: payload.notification_reason === REPEAT ? { ms: repeatMs } : undefined,
      retryMs,
    };
  };
}

/** The times of the lane rule, milliseconds. */
export function alertmanagerTimes(options: AlertmanagerOptions): {
  windowMs: number;
  lateMs: number;
  repeatMs: number;
  retryMs: number;
} {
  const groupIntervalMs = duration('groupIntervalMs', options.groupIntervalMs ?? ALERTMANAGER_DEFAULTS.groupIntervalMs);
  const peerTimeoutMs = options.peerTimeoutMs ?? ALERTMANAGER_DEFAULTS.peerTimeoutMs;
  if (!Number.isFinite(peerTimeoutMs) || peerTimeoutMs < 0)
    refuseOption('peerTimeoutMs', 'must be a finite number of milliseconds >= 0', peerTimeoutMs);
  const peers = options.peers ?? ALERTMANAGER_DEFAULTS.peers;
  if (!Number.isSafeInteger(peers) || peers < 1) refuseOption('peers', 'must be a whole number >= 1', peers);
  const cap =
    options.repeatIntervalMs === undefined ? Infinity : 0.95 * duration('repeatIntervalMs', options.repeatIntervalMs);
  const peerWaitMs = (peers - 1) * peerTimeoutMs;
  const flushMs = Math.max(groupIntervalMs, SHORTEST_FLUSH_MS);
  return {
    windowMs: Math.min(cap, flushMs + groupIntervalMs + peerWaitMs),
    lateMs: Math.min(cap, groupIntervalMs + peerWaitMs),
    // Retries of a repeat last for one flush; with group_interval >= 10 s this is the same as lateMs.
    repeatMs: Math.min(cap, flushMs + peerWaitMs),
    // Copies later than one flush are the next flush's, after a lost 2xx, or repeats of a route with a shorter repeat_interval.
    retryMs: flushMs + peerWaitMs,
  };
}

/** Annotations, generatorURL, externalURL and a resolved alert's endsAt differ between peers, so none of them takes part. */
function stateOf(payload: AlertmanagerPayload): string {
  const { alerts, truncatedAlerts = 0, notification_reason } = payload;
  if (!Array.isArray(alerts)) return `body ${hash(sortedJson(payload))}`;
  const parts = alerts.map((alert: AlertmanagerAlert | null) => {
    if (typeof alert !== 'object' || alert === null) return `no alert ${sortedJson(alert)}`;
    const name = alert.fingerprint === undefined ? hash(sortedJson(alert.labels ?? {})) : text(alert.fingerprint);
    return alert.status === 'resolved' ? `${name} r` : `${name} f ${instant(alert.startsAt)}`;
  });
  parts.sort();
  parts.push(`truncated ${text(truncatedAlerts)}`);
  if (truncatedAlerts !== 0) parts.push(`reason ${text(notification_reason)}`);
  return hash(JSON.stringify(parts));
}

/** Replicas write the same instant in different zones. */
function instant(time: string | undefined): string {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? `text ${text(time)}` : String(ms);
}

/** The types say what Alertmanager sends; a stranger may send an object that refuses to become text. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : sortedJson(value);
}

/** Label values may be kilobytes long or hold anything. */
function short(text: string): string {
  return text.length <= 512 && !LONE_SURROGATE.test(text) ? text : `sha256 ${hash(text)}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
