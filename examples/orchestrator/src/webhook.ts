import { randomUUID } from 'node:crypto';
import { webhookKey } from '@holdfast/idempotency/alertmanager';
import type { Request, RequestHandler } from 'express';
import { HttpError } from './http-error.js';
import { knownOf } from './knowledge.js';
import { notificationData, notificationOf, rejectedNotification } from './notification.js';
import { type ParsedPayload, type Payload, parsePayload } from './payload.js';
import { oneLine } from './plain-text.js';
import type { Services } from './services.js';

/** A copy that waits longer than this for the run in flight gets 503: the sender must not time out on us. */
const JOIN_MS = 8_000;

/**
 * What posts may hold here until they are durable: they wait when the delivery queue is full. The next one is refused at
 * once, its sender tries again. Choice: every group of a large Alertmanager at once; and bytes, since a body may be 16 MB.
 */
const MOST_HELD = { posts: 1_000, bytes: 128 * 1024 * 1024 };

/**
 * `POST /webhook/alerts`: one post is one notification. Answers 200 once it is durable, or while the store is away once a
 * channel took it; delivery goes on behind the answer. Copies of a post are answered and absorbed.
 */
export function webhookRoute(services: Services): RequestHandler {
  const { config, log, metrics } = services;
  const keyOf = webhookKey({
    groupIntervalMs: config.ALERT_GROUP_INTERVAL_MS,
    peers: config.ALERT_PEERS,
    peerTimeoutMs: config.ALERT_PEER_TIMEOUT_MS,
    repeatIntervalMs: config.ALERT_REPEAT_INTERVAL_MS,
  });
  const warned = new Set<string>();
  const warnOnce = (oddity: string): void => {
    if (warned.has(oddity) || warned.size >= 100) return;
    warned.add(oddity);
    log.warn({ oddity }, 'a webhook is not quite what Alertmanager sends; it is taken all the same');
  };

  const held = { posts: 0, bytes: 0 };
  const holding = async <T>(bytes: number, work: () => Promise<T>): Promise<T> => {
    if (held.posts >= MOST_HELD.posts || held.bytes >= MOST_HELD.bytes) {
      throw new HttpError(503, 'queue_full', 'too much waits to be delivered; send it again', { 'retry-after': '1' });
    }
    held.posts++;
    held.bytes += bytes;
    try {
      return await work();
    } finally {
      held.posts--;
      held.bytes -= bytes;
    }
  };

  return async (request, response) => {
    if (services.draining.aborted) {
      throw new HttpError(503, 'draining', 'shutting down; send it again', { connection: 'close' });
    }
    services.activity.lastWebhookAt = Date.now();
    const parsed = readPayload(request, services);
    const { payload, rejected } = parsed;
    for (const oddity of payload.oddities) warnOnce(oneLine(oddity, 80));
    if (payload.groupKey !== undefined && request.headers['idempotency-key'] !== undefined) {
      warnOnce('an Idempotency-Key header beside a groupKey, which is ignored');
    }
    const sender = senderOf(request, payload);
    const header = request.headers['idempotency-key'];
    const key = keyOf({ body: request.body, header, sender: request.ip });
    const accept = (id: string): Promise<Accepted> => acceptAll(services, parsed, id, sender);
    const outcome = await holding(request.rawBody?.length ?? 0, async () =>
      key === undefined
        ? { value: await accept(randomUUID()), via: 'ran' as const, ageMs: 0 }
        : await services.idempotency.execute(key, (operation) => accept(operation.id), { waitMs: JOIN_MS }),
    );

    const count = payload.alerts.length;
    const fresh = (outcome.via === 'ran' || outcome.via === 'bypassed') && !outcome.value.duplicate;
    const answer = { status: 'ok', accepted: fresh ? count : 0, duplicates: fresh ? 0 : count };
    // Behind the answer: nobody waits for what only the page shows.
    if (!fresh) void explainCopy(services, outcome, payload, sender);
    metrics.webhookAlerts(fresh ? 'accepted' : 'duplicate', count);
    metrics.webhookAlerts('rejected', fresh ? rejected.length : 0);
    request.log.info(
      {
        notification: outcome.value.id,
        via: outcome.via,
        ageMs: Math.round(outcome.ageMs),
        ...answer,
        rejected: rejected.length,
        group: payload.groupKey && oneLine(payload.groupKey),
        sender: oneLine(sender),
        reason: payload.notificationReason && oneLine(payload.notificationReason),
      },
      fresh ? 'webhook accepted' : 'webhook absorbed: a copy of what was already accepted',
    );
    response.json(rejected.length > 0 ? { ...answer, rejected: rejected.length } : answer);
  };
}

interface Accepted {
  /** The notification's id. */
  id: string;
  /** The delivery store had this id already: an earlier attempt at this run was cut off after accepting. */
  duplicate: boolean;
}

async function acceptAll(services: Services, parsed: ParsedPayload, id: string, sender: string): Promise<Accepted> {
  const { delivery, book, kb, log } = services;
  const { payload, rejected } = parsed;
  for (const bad of rejected) {
    log.warn(
      { notification: `${id}#${bad.index}`, reason: bad.reason },
      'one of the alerts is none; kept as a dead letter',
    );
    await delivery.accept(rejectedNotification(`${id}#${bad.index}`, sender, bad));
  }
  if (payload.alerts.length === 0) return { id, duplicate: false };
  const acceptedAt = Date.now();
  const { duplicate } = await delivery.accept(notificationOf(id, payload, sender, knownOf(kb, payload, acceptedAt)));
  book.apply({ id, acceptedAt, payload });
  services.broadcaster.carried(
    id,
    payload.alerts.map(({ fingerprint }) => fingerprint),
    'pending',
  );
  return { id, duplicate };
}

/** Remembers, for the page, whose copy was absorbed and why. */
async function explainCopy(
  { delivery, activity, broadcaster }: Services,
  { value, via }: { value: Accepted; via: string },
  payload: Payload,
  sender: string,
): Promise<void> {
  const first = notificationData((await delivery.explain(value.id).catch(() => undefined))?.alert?.data);
  const sameSender = first?.sender === sender;
  const stale = first?.kind === 'webhook' && first.payload.status !== payload.status;
  const why = via === 'joined' ? 'joined' : stale ? 'stale' : sameSender ? 'same-sender' : 'other-sender';
  activity.absorbed(value.id, { at: Date.now(), sender: oneLine(sender), why });
  broadcaster.touch(value.id);
}

function readPayload(request: Request, services: Services): ParsedPayload {
  try {
    return parsePayload(request.body);
  } catch (error) {
    refused(services, request, error);
    throw error;
  }
}

/** Counts, logs and shows a post that can't be used. Alertmanager itself never sends one; a custom payload does, at each tick. */
export function refused({ log, metrics, activity }: Services, request: Request, error: unknown): void {
  metrics.webhookRefused();
  const body = oneLine(request.rawBody?.toString('utf8') ?? '', 2_000);
  const why = oneLine(error instanceof Error ? error.message : String(error), 300);
  activity.refuse({ at: Date.now(), from: oneLine(request.ip ?? '', 60), why, body });
  log.warn({ body, why }, 'a webhook without alerts was refused');
}

/** Peers of a pair may share an externalURL; their addresses differ. */
function senderOf(request: Request, payload: Payload): string {
  return `${payload.externalURL ?? ''} ${request.ip ?? ''}`;
}
