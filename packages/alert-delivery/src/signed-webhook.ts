import { createHmac } from 'node:crypto';
import { type Clock, systemClock } from '@holdfast/clock';
import type { StoredAlert } from './alert.js';
import type { Channel, SendContext } from './channel.js';
import { DeliveryError } from './errors.js';
import { post, type RuleRow } from './http-post.js';
import { secretsOf } from './redact.js';
import { cutBytes } from './text.js';

/** 410 means that the receiver wants no more. @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export const WEBHOOK_RULES: readonly RuleRow[] = [
  { status: 400, verdict: 'rejected' },
  { status: 409, verdict: 'transient' },
  { status: 413, verdict: 'rejected' },
];

/** Standard Webhooks advises to stay below 20 kB; receivers commonly take 1 MB. */
const MAX_PAYLOAD_BYTES = 256 * 1024;

/** What {@link signedWebhook} takes. */
export interface SignedWebhookOptions {
  /** Where to post. A token in it is shown nowhere. */
  url: string;
  /** `whsec_` and 24 to 64 bytes in base64. */
  secret: `whsec_${string}`;
  /** @defaultValue `'webhook'` */
  name?: string | undefined;
  /** Of the timestamp that is signed. @defaultValue the running process's clock */
  clock?: Clock | undefined;
}

/**
 * Posts `{ type, timestamp, data }` signed as Standard Webhooks says. `webhook-id` is the same for every attempt at an alert, so
 * a receiver that remembers it drops repeats; an unknown outcome is therefore retried.
 *
 * @see https://www.standardwebhooks.com
 */
export function signedWebhook(options: SignedWebhookOptions): Channel {
  const { url, secret, name = 'webhook', clock = systemClock } = options ?? {};
  if (typeof url !== 'string' || !URL.canParse(url))
    throw new DeliveryError('DELIVERY_INVALID_OPTION', 'signedWebhook: url must be a URL');
  const key = keyOf(secret);
  return {
    name,
    idempotent: true,
    secrets: [secret, ...secretsOf(url)],
    async send(alert, context) {
      const now = clock.now();
      const timestamp = String(Math.floor(now / 1000));
      const body = JSON.stringify({
        type: alert.status === undefined ? 'alert' : `alert.${alert.status}`,
        timestamp: new Date(now).toISOString(),
        data: dataOf(alert, context),
      });
      const id = context.idempotencyKey;
      await post({
        url,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
        },
        body,
        signal: context.signal,
        rules: WEBHOOK_RULES,
        provider: 'the webhook',
      });
    },
  };
}

function keyOf(secret: unknown): Buffer {
  const key = Buffer.from(typeof secret === 'string' ? secret.replace(/^whsec_/, '') : '', 'base64');
  if (typeof secret !== 'string' || !secret.startsWith('whsec_') || key.length < 24 || key.length > 64)
    throw new DeliveryError(
      'DELIVERY_INVALID_OPTION',
      "signedWebhook: secret must be 'whsec_' and 24 to 64 bytes in base64",
    );
  return key;
}

function dataOf(alert: StoredAlert, { maybeRepeat, minimal }: SendContext): object {
  const { id, title, severity } = alert;
  const repeat = maybeRepeat && { maybeRepeat };
  if (minimal) return { id, title: cutBytes(title, 500), severity, ...repeat };
  const whole = { ...alert, ...repeat };
  if (Buffer.byteLength(JSON.stringify(whole)) <= MAX_PAYLOAD_BYTES) return whole;
  const { data: _data, body, ...rest } = whole;
  return {
    ...rest,
    title: cutBytes(title, MAX_PAYLOAD_BYTES / 8),
    ...(body !== undefined && { body: cutBytes(body, MAX_PAYLOAD_BYTES / 8) }),
    truncated: true,
  };
}
