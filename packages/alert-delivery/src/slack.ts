import type { Channel } from './channel.js';
import { DeliveryError } from './errors.js';
import { post, type RuleRow } from './http-post.js';
import { headline, repeatNote } from './message.js';
import { secretsOf } from './redact.js';
import { cutBytes, cutChars } from './text.js';

/** @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling-errors */
export const SLACK_RULES: readonly RuleRow[] = [
  {
    status: 400,
    body: /no_text|invalid_payload|invalid_blocks|user_not_found|too_many_attachments/,
    verdict: 'rejected',
  },
  { status: 403, body: /action_prohibited|invalid_token|posting_to_general_channel_denied/, verdict: 'channelDown' },
  { status: 404, body: /channel_not_found|no_service|no_team/, verdict: 'channelDown' },
  { status: 410, body: /channel_is_archived/, verdict: 'channelDown' },
  { status: 413, verdict: 'rejected' },
];

/** Slack cuts a text at 40,000 characters; the rest of the message needs a little. */
const MAX_TEXT_CHARS = 38_000;

/** Of the minimal form: 1 KB with what JSON adds. */
const MINIMAL_BYTES = 800;

/** What {@link slackWebhook} takes. */
export interface SlackOptions {
  /** The incoming webhook's URL. It is the credential: it is shown nowhere. */
  url: string;
  /** @defaultValue `'slack'` */
  name?: string | undefined;
}

/** Posts to a Slack incoming webhook. Slack has no idempotency key, so an unknown outcome is repeated at most once, and marked. */
export function slackWebhook(options: SlackOptions): Channel {
  if (typeof options?.url !== 'string' || !URL.canParse(options.url)) {
    throw new DeliveryError('DELIVERY_INVALID_OPTION', 'slackWebhook: url must be a URL');
  }
  const { url, name = 'slack' } = options;
  return {
    name,
    idempotent: false,
    secrets: secretsOf(url),
    async send(alert, context) {
      const note = repeatNote(context);
      const lines = [
        context.minimal ? `id ${cutBytes(alert.id, 100)}` : '',
        escapeText(headline(alert)),
        ...(context.minimal ? [] : [escapeText(alert.body ?? '')]),
        note && `_${note}_`,
      ];
      const whole = lines.filter((line) => line !== '').join('\n');
      const text = context.minimal ? cutBytes(whole, MINIMAL_BYTES) : cutChars(whole, MAX_TEXT_CHARS);
      const { text: answer } = await post({
        url,
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ text }),
        signal: context.signal,
        rules: SLACK_RULES,
        provider: 'Slack',
      });
      refuseFalseSuccess(answer);
    },
  };
}

/** A 200 that says `ok: false` is a failure. */
function refuseFalseSuccess(answer: string): void {
  if (!answer.startsWith('{')) return;
  let said: { ok?: unknown; error?: unknown };
  try {
    said = JSON.parse(answer) as typeof said;
  } catch {
    return;
  }
  if (said.ok === false) throw new Error(`Slack answered ok: false, ${String(said.error)}`);
}

/** @see https://docs.slack.dev/messaging/formatting-message-text/#escaping */
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
