import type { Channel } from './channel.js';
import { DeliveryError } from './errors.js';
import { post, type RuleRow } from './http-post.js';
import { headline, repeatNote } from './message.js';
import { cutBytes, oneLine } from './text.js';

/** @see https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses */
export const SENDGRID_RULES: readonly RuleRow[] = [
  { status: 400, verdict: 'rejected' },
  { status: 413, verdict: 'rejected' },
];

/** A mail that people read; SendGrid itself takes 30 MB. */
const MAX_BODY_BYTES = 512 * 1024;

/** What {@link sendGrid} takes. */
export interface SendGridOptions {
  apiKey: string;
  from: string;
  to: string | readonly string[];
  /** `/v3/mail/send` is appended. @defaultValue `'https://api.sendgrid.com'` */
  baseUrl?: string | undefined;
  /** @defaultValue `'sendgrid'` */
  name?: string | undefined;
}

/** Sends a mail through SendGrid's v3 API. It has no idempotency key, so an unknown outcome is repeated at most once, and marked. */
export function sendGrid(options: SendGridOptions): Channel {
  const { apiKey, from, baseUrl = 'https://api.sendgrid.com', name = 'sendgrid' } = options ?? {};
  const to = typeof options?.to === 'string' ? [options.to] : [...(options?.to ?? [])];
  if (typeof apiKey !== 'string' || apiKey === '') throw invalid('apiKey', 'must be a string that is not empty');
  if (typeof from !== 'string' || from === '') throw invalid('from', 'must be an address');
  if (to.length === 0 || to.some((address) => typeof address !== 'string' || address === ''))
    throw invalid('to', 'must be one or more addresses');
  if (!URL.canParse(baseUrl)) throw invalid('baseUrl', 'must be a URL');
  const url = `${baseUrl.replace(/\/+$/, '')}/v3/mail/send`;
  return {
    name,
    idempotent: false,
    secrets: [apiKey],
    async send(alert, context) {
      const note = repeatNote(context);
      const text = context.minimal
        ? `id ${cutBytes(alert.id, 100)}\n${alert.title}`
        : [alert.title, alert.body ?? '', `id ${alert.id}`].filter((line) => line !== '').join('\n\n');
      const value = [cutBytes(text, context.minimal ? 300 : MAX_BODY_BYTES), note]
        .filter((line) => line !== '')
        .join('\n\n');
      const { headers } = await post({
        url,
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          personalizations: [{ to: to.map((email) => ({ email })) }],
          from: { email: from },
          subject: oneLine(headline(alert), context.minimal ? 100 : 200),
          content: [{ type: 'text/plain', value }],
          custom_args: { holdfast_key: context.idempotencyKey },
        }),
        signal: context.signal,
        rules: SENDGRID_RULES,
        provider: 'SendGrid',
      });
      return { id: headers.get('x-message-id') ?? undefined };
    },
  };
}

function invalid(name: string, rule: string): DeliveryError {
  return new DeliveryError('DELIVERY_INVALID_OPTION', `sendGrid: ${name} ${rule}`);
}
