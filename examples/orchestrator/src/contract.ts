import { z } from 'zod';
import { alertQuery, notificationQuery } from './alert-routes.js';
import { deadLetterQuery, replayBody } from './dead-letter-routes.js';
import { entryBody, exportQuery, queryBody } from './knowledge-routes.js';

/**
 * Every route with what it takes and what it answers. The schemas of requests are those that validate them; those of
 * answers are held against real answers by the tests. `/openapi.json` is made of this and nothing else.
 */
export interface RouteContract {
  method: 'get' | 'post' | 'put' | 'delete';
  path: string;
  summary: string;
  /** Without a token, also when one is configured. */
  open?: boolean;
  query?: z.ZodType;
  body?: z.ZodType;
  answers: Record<number, { description: string; schema?: z.ZodType; type?: string }>;
}

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
export const alertRow = z.strictObject({
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

const health = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  state: z.string(),
  live: z.boolean(),
  ready: z.boolean(),
  components: z.record(z.string(), z.looseObject({ status: z.enum(['ok', 'degraded']), state: z.string() })),
});

const ok = (schema: z.ZodType, description = 'done'): RouteContract['answers'] => ({ 200: { description, schema } });
const json = (description: string): { description: string; schema: z.ZodType } => ({
  description,
  schema: errorAnswer,
});
const later = json('can not be done at the moment: send it again');

/** The routes, in the order of the README. */
export const CONTRACT: readonly RouteContract[] = [
  {
    method: 'post',
    path: '/webhook/alerts',
    summary: 'Alertmanager webhook v4: 200 once every alert is durable',
    body: webhookBody,
    answers: {
      200: { description: 'accepted, or a copy of what was', schema: webhookAnswer },
      400: json('no JSON, or nothing in alerts'),
      413: json('larger than 16 MB'),
      503: later,
    },
  },
  {
    method: 'post',
    path: '/api/knowledge/entries',
    summary: 'Adds an entry',
    body: entryBody,
    answers: {
      201: { description: 'stored', schema: stored },
      400: json('not an entry'),
      412: json('it exists'),
      503: later,
    },
  },
  {
    method: 'get',
    path: '/api/knowledge/entries/{id}',
    summary: 'One entry; its revision is the ETag',
    answers: { ...ok(stored), 404: json('no such entry') },
  },
  {
    method: 'put',
    path: '/api/knowledge/entries/{id}',
    summary: 'Writes an entry; If-Match is the revision that is replaced',
    body: entryBody,
    answers: {
      ...ok(stored),
      201: { description: 'created', schema: stored },
      412: json('another revision'),
      503: later,
    },
  },
  {
    method: 'delete',
    path: '/api/knowledge/entries/{id}',
    summary: 'Removes an entry',
    answers: { 204: { description: 'removed' }, 404: json('no such entry'), 412: json('another revision') },
  },
  {
    method: 'post',
    path: '/api/knowledge/query',
    summary: 'Search by text, tags and category',
    body: queryBody,
    answers: { ...ok(found), 400: json('not a query') },
  },
  { method: 'get', path: '/api/knowledge/summary', summary: 'Counts', answers: ok(summary) },
  {
    method: 'get',
    path: '/api/knowledge/export',
    summary: 'Everything, streamed',
    query: exportQuery,
    answers: { 200: { description: 'an attachment', type: 'application/json' } },
  },
  {
    method: 'get',
    path: '/api/persistence/export',
    summary: 'Knowledge base and dead letters, streamed',
    answers: { 200: { description: 'an attachment', type: 'application/json' } },
  },
  {
    method: 'post',
    path: '/api/memory/consolidate',
    summary: 'Consolidation now',
    answers: { ...ok(consolidated), 503: later },
  },
  { method: 'get', path: '/api/overview', summary: 'All that the page shows above its lists', answers: ok(overview) },
  {
    method: 'get',
    path: '/api/alerts',
    summary: 'Recent alerts, newest news first; with timelines=false only how each stands',
    query: alertQuery,
    answers: { ...ok(alertList), 400: json('a bad query string') },
  },
  {
    method: 'get',
    path: '/api/alerts/{id}',
    summary: 'One alert by fingerprint, with its timelines',
    answers: { ...ok(wholeAlert), 404: json('not in the recent past') },
  },
  {
    method: 'get',
    path: '/api/notifications',
    summary: 'Recent notifications, newest first',
    query: notificationQuery,
    answers: ok(notificationList),
  },
  {
    method: 'get',
    path: '/api/notifications/{id}',
    summary: 'One notification whole',
    answers: { ...ok(notification), 404: json('not in the recent past') },
  },
  {
    method: 'get',
    path: '/api/dead-letters',
    summary: 'What no channel took; total counts all that the filter means',
    query: deadLetterQuery,
    answers: ok(deadLetters),
  },
  {
    method: 'post',
    path: '/api/dead-letters/replay',
    summary: 'Sends dead letters again; an Idempotency-Key makes a retry the same replay',
    body: replayBody,
    answers: { ...ok(replayed), 400: json('neither ids nor a filter'), 409: json('the preview is out of date') },
  },
  {
    method: 'get',
    path: '/api/events',
    summary: 'Server-sent events: overview, alerts (rows that changed), reset',
    answers: { 200: { description: 'a stream', type: 'text/event-stream' }, 503: json('too many streams: poll') },
  },
  {
    method: 'get',
    path: '/livez',
    summary: 'The process answers',
    open: true,
    answers: ok(z.strictObject({ status: z.literal('ok') })),
  },
  {
    method: 'get',
    path: '/readyz',
    summary: '503 only while starting or draining',
    open: true,
    answers: ok(z.strictObject({ status: z.enum(['ok', 'unavailable']), state: z.string() })),
  },
  { method: 'get', path: '/health', summary: 'Every component, ok or degraded', open: true, answers: ok(health) },
  {
    method: 'get',
    path: '/metrics',
    summary: 'Prometheus text',
    open: true,
    answers: { 200: { description: 'metrics', type: 'text/plain' } },
  },
];
