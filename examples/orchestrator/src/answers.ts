import { z } from 'zod';

const moment = z.number().describe('epoch milliseconds');
const iso = z.iso.datetime();
const strings = z.record(z.string(), z.string());
const count = z.number().int().min(0);

export const errorAnswer = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) });

export const webhookBody = z
  .looseObject({
    alerts: z.array(
      z.looseObject({
        status: z.enum(['firing', 'resolved']).optional(),
        labels: strings.optional(),
        annotations: strings.optional(),
        startsAt: z.string().optional(),
        endsAt: z.string().optional(),
        generatorURL: z.string().optional(),
        fingerprint: z.string().optional(),
      }),
    ),
    groupKey: z.string().optional(),
    receiver: z.string().optional(),
    version: z.string().optional(),
    externalURL: z.string().optional(),
    truncatedAlerts: z.number().optional(),
  })
  .describe('Alertmanager webhook v4; unknown fields and versions pass, a bad alert does not spoil the others');

export const webhookAnswer = z.strictObject({
  status: z.literal('ok'),
  accepted: count,
  duplicates: count,
  rejected: count.optional(),
});

const entry = z.looseObject({
  id: z.string(),
  title: z.string(),
  body: z.string().optional(),
  tags: z.array(z.string()).optional(),
  category: z.string().optional(),
});
export const stored = z.strictObject({ entry, rev: z.number().int(), updatedAt: iso });
export const found = z.strictObject({
  results: z.array(z.strictObject({ id: z.string(), score: z.number(), entry, rev: z.number().int() })),
  total: count,
});
export const summary = z.strictObject({
  total: count,
  categories: z.record(z.string(), count),
  tags: z.record(z.string(), count),
  lastUpdated: iso.nullable(),
});
export const consolidated = z.strictObject({
  notifications: count,
  entries: z.array(z.string()),
  memoryChanged: z.boolean(),
});

const copies = z.strictObject({
  count,
  newest: z.array(
    z.strictObject({
      at: moment,
      sender: z.string(),
      why: z.enum(['joined', 'same-sender', 'other-sender', 'stale']),
    }),
  ),
});
const fate = z.enum(['pending', 'delivered', 'coalesced', 'dead']);
const severity = z.enum(['critical', 'error', 'warning', 'info']);
const lifeEvent = z.looseObject({ type: z.string(), at: moment });
const outcome = z.looseObject({ status: z.string(), id: z.string() });
const timeline = z.looseObject({
  id: z.string(),
  acceptedAt: moment.optional(),
  status: fate.optional(),
  events: z.array(lifeEvent).optional(),
  outcome: outcome.optional(),
  recovered: z.boolean().optional(),
  copies,
});
const alertFields = {
  id: z.string(),
  fingerprint: z.string(),
  status: z.enum(['firing', 'unconfirmed', 'resolved']),
  labels: strings,
  annotations: strings,
  receiver: z.string(),
  groupKey: z.string().optional(),
  startsAt: z.string().optional(),
  endsAt: z.string().optional(),
  generatorURL: z.string().optional(),
  externalURL: z.string().optional(),
  firstAt: iso,
  lastAt: iso,
};
export const wholeAlert = z.strictObject({ ...alertFields, notifications: z.array(timeline) });
const alertRow = z.strictObject({
  ...alertFields,
  carried: count,
  copies: count,
  last: z
    .strictObject({
      id: z.string(),
      status: z.enum([...fate.options, 'forgotten']),
      channel: z.string().optional(),
      attempts: count,
      failed: z.array(z.string()),
      copies: count,
    })
    .optional(),
});
export const alertList = z.strictObject({ alerts: z.array(z.union([wholeAlert, alertRow])), total: count });
export const notificationList = z.strictObject({
  notifications: z.array(
    z.strictObject({
      id: z.string(),
      acceptedAt: iso,
      title: z.string(),
      severity,
      status: fate,
      endedAt: iso.optional(),
      channel: z.string().optional(),
      reason: z.string().optional(),
      into: z.string().optional(),
      attempts: count.optional(),
      copies: count,
    }),
  ),
  total: count,
});
export const notification = timeline.extend({
  alert: z.looseObject({ id: z.string(), title: z.string(), severity }).optional(),
});

const deadLetter = z.looseObject({
  v: z.literal(1),
  id: z.string(),
  alert: z.looseObject({ id: z.string(), title: z.string(), severity }),
  reason: z.string(),
  attempts: z.array(z.looseObject({ channel: z.string(), attempt: z.number(), verdict: z.string() })),
  acceptedAt: moment,
  diedAt: moment,
});
export const deadLetters = z.strictObject({ deadLetters: z.array(deadLetter), total: count });
export const replayed = z.strictObject({
  results: z.array(
    z.looseObject({
      id: z.string(),
      status: z.enum(['delivered', 'coalesced', 'dead', 'journaled', 'pending', 'not-found']),
    }),
  ),
  total: count,
});

const channel = z.strictObject({
  name: z.string(),
  state: z.enum(['ok', 'failing', 'down', 'throttled', 'idle']),
  since: moment.optional(),
  verdict: z.string().optional(),
  error: z.string().optional(),
  sent: count,
  failed: count,
  p95Ms: z.number().optional(),
  lastSentAt: moment.optional(),
  waiting: count,
  active: count,
  throttledMs: z.number(),
});
export const overview = z.strictObject({
  startedAt: moment,
  state: z.string(),
  law: z.strictObject({
    accepted: count,
    delivered: count,
    coalesced: count,
    pending: count,
    dead: count,
    evicted: count,
    holds: z.boolean(),
  }),
  alerts: z.strictObject({ firing: count, unconfirmed: count, resolved: count }),
  copies: count,
  channels: z.array(channel),
  components: z.array(
    z.strictObject({ name: z.string(), ok: z.boolean(), state: z.string(), message: z.string().optional() }),
  ),
  store: z.enum(['files', 'MongoDB']),
  entries: count,
  remembered: count,
  oldestUnsentAt: moment.optional(),
  stuck: count,
  lastWebhookAt: moment.optional(),
  consolidation: z.strictObject({ at: moment, ok: z.boolean() }).optional(),
  refused: z.strictObject({
    count,
    newest: z.array(z.strictObject({ at: moment, from: z.string(), why: z.string(), body: z.string() })),
  }),
  perMinute: z.strictObject({ accepted: z.array(count), failed: z.array(count) }),
  needs: z.array(z.looseObject({ kind: z.string() })),
  position: z.string().describe('where /api/events goes on from: its lastEventId'),
});

export const health = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  state: z.string(),
  live: z.boolean(),
  ready: z.boolean(),
  components: z.record(z.string(), z.looseObject({ status: z.enum(['ok', 'degraded']), state: z.string() })),
});
