import { z } from 'zod';
import { alertQuery, notificationQuery } from './alert-routes.js';
import {
  alertList,
  consolidated,
  deadLetters,
  errorAnswer,
  found,
  health,
  notification,
  notificationList,
  overview,
  replayed,
  stored,
  summary,
  webhookAnswer,
  webhookBody,
  wholeAlert,
} from './answers.js';
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
      415: json('an encoding that is none of gzip, deflate and br'),
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
    answers: {
      ...ok(replayed),
      400: json('neither ids nor a filter'),
      409: json('the preview is out of date, or another replay runs'),
      422: json('the Idempotency-Key was used for another replay'),
    },
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
