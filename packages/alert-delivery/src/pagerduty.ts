import { createHash } from 'node:crypto';
import type { StoredAlert } from './alert.js';
import type { Channel, SendContext } from './channel.js';
import { DeliveryError } from './errors.js';
import { post, type RuleRow } from './http-post.js';
import { cutBytes, cutChars, oneLine } from './text.js';

/** @see https://developer.pagerduty.com/docs/send-alert-event#response-codes--retry-logic */
export const PAGERDUTY_RULES: readonly RuleRow[] = [
  { status: 400, body: /routing.?key/i, verdict: 'channelDown' },
  { status: 400, verdict: 'rejected' },
  { status: 413, verdict: 'rejected' },
];

/** PagerDuty cuts a summary here. */
const MAX_SUMMARY_CHARS = 1024;
/** Of the minimal form, so that the whole event stays within 1 KB. */
const MINIMAL_BYTES = 300;
const MAX_KEY_CHARS = 255;
/** PagerDuty refuses an event above 512 kB; the rest of it needs a little. */
const MAX_DETAILS_BYTES = 480_000;

/** What {@link pagerDuty} takes. */
export interface PagerDutyOptions {
  /** The integration's routing key. It is the credential: it is shown nowhere. */
  routingKey: string;
  /** What the alert comes from, as PagerDuty shows it. @defaultValue `'holdfast'` */
  source?: string | undefined;
  /** `/v2/enqueue` is appended. @defaultValue `'https://events.pagerduty.com'` */
  baseUrl?: string | undefined;
  /** @defaultValue `'pagerduty'` */
  name?: string | undefined;
}

/**
 * Triggers and resolves incidents through PagerDuty's Events API v2. Alerts with one `dedupKey` are one incident, and a repeated
 * send joins it, so an unknown outcome is retried without harm. A firing triggers, a resolved alert resolves. It is a paging
 * channel: canaries stay away unless asked for; and its alerts are never folded, because each must find its own incident.
 */
export function pagerDuty(options: PagerDutyOptions): Channel {
  const { routingKey, source = 'holdfast', baseUrl = 'https://events.pagerduty.com' } = options ?? {};
  const { name = 'pagerduty' } = options ?? {};
  if (typeof routingKey !== 'string' || routingKey === '')
    throw new DeliveryError('DELIVERY_INVALID_OPTION', 'pagerDuty: routingKey must be a string that is not empty');
  if (!URL.canParse(baseUrl)) throw new DeliveryError('DELIVERY_INVALID_OPTION', 'pagerDuty: baseUrl must be a URL');
  const url = `${baseUrl.replace(/\/+$/, '')}/v2/enqueue`;
  return {
    name,
    idempotent: true,
    paging: true,
    folds: false,
    secrets: [routingKey],
    async send(alert, context) {
      const key = incidentKey(alert);
      const event =
        alert.status === 'resolved'
          ? { routing_key: routingKey, event_action: 'resolve', dedup_key: key }
          : {
              routing_key: routingKey,
              event_action: 'trigger',
              dedup_key: key,
              payload: payload(alert, context, source),
            };
      await post({
        url,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
        signal: context.signal,
        rules: PAGERDUTY_RULES,
        provider: 'PagerDuty',
      });
      return { id: key };
    },
  };
}

/** What trigger and resolve have in common: the dedupKey, or the alert's own id. One that is too long is hashed. */
function incidentKey(alert: StoredAlert): string {
  const key = alert.dedupKey ?? alert.id;
  return key.length <= MAX_KEY_CHARS ? key : createHash('sha256').update(key).digest('hex');
}

function payload(alert: StoredAlert, context: SendContext, source: string): object {
  const title = oneLine(alert.title, 4 * MAX_SUMMARY_CHARS);
  const base = { source, severity: alert.severity };
  if (context.minimal) return { ...base, summary: cutBytes(title, MINIMAL_BYTES) };
  const summary = cutChars(title, MAX_SUMMARY_CHARS);
  return { summary, ...base, custom_details: details(alert) };
}

function details(alert: StoredAlert): object {
  const { id, body, data, digest } = alert;
  const whole = {
    id,
    ...(body !== undefined && { body }),
    ...(data !== undefined && { data }),
    ...(digest && { digest }),
  };
  if (Buffer.byteLength(JSON.stringify(whole)) <= MAX_DETAILS_BYTES) return whole;
  return {
    id,
    ...(body !== undefined && { body: cutBytes(body, MAX_DETAILS_BYTES / 4) }),
    ...(data !== undefined && { data: cutBytes(JSON.stringify(data), MAX_DETAILS_BYTES / 4) }),
    ...(digest && { digest }),
  };
}
