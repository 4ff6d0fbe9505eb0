import type { Channel } from './channel.js';
import { ChannelError, DeliveryError } from './errors.js';
import { headline, repeatNote } from './message.js';
import { cutBytes, oneLine } from './text.js';
import type { Verdict, VerdictKind } from './verdict.js';

/** One mail, as nodemailer takes it. */
export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly messageId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What nodemailer's `createTransport` returns, as far as it is needed. */
export interface MailTransport {
  sendMail(mail: never): Promise<unknown>;
}

/** What {@link smtp} takes. */
export interface SmtpOptions {
  /** Made with `nodemailer.createTransport(…)`, yours to close. From nodemailer 10.5 on an attempt's end stops the conversation. */
  transport: MailTransport;
  from: string;
  to: string | readonly string[];
  /** Strings that must never be seen, such as the password: error texts of servers may repeat them. */
  secrets?: readonly string[] | undefined;
  /** @defaultValue `'smtp'` */
  name?: string | undefined;
}

/** How an SMTP failure reads: the first row that fits decides. */
export interface SmtpRule {
  /** The server's reply code, or its first digit. */
  readonly reply?: number | '4' | '5' | undefined;
  /** nodemailer's `code`. */
  readonly code?: string | undefined;
  /** What was being said: `AUTH PLAIN`, `MAIL FROM`, `RCPT TO`, `DATA`, `CONN`. */
  readonly command?: RegExp | undefined;
  readonly message?: RegExp | undefined;
  readonly syscall?: RegExp | undefined;
  readonly verdict: VerdictKind;
}

/**
 * Replies: 4yz may work in a moment; 5yz before the message concern every message, 5yz about the message this one.
 * Without a reply: what failed before the server was reached was not sent; of anything later nobody knows.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5321#section-4.2
 */
export const SMTP_RULES: readonly SmtpRule[] = [
  { reply: 421, verdict: 'transient' },
  { reply: '4', verdict: 'transient' },
  { reply: '5', command: /^AUTH/, verdict: 'channelDown' },
  { reply: 530, verdict: 'channelDown' },
  { reply: 552, verdict: 'rejected' },
  { reply: '5', command: /^(MAIL FROM|RCPT TO|CONN|EHLO|HELO|STARTTLS)/, verdict: 'channelDown' },
  { reply: '5', verdict: 'rejected' },
  { code: 'EAUTH', verdict: 'channelDown' },
  { code: 'EENVELOPE', verdict: 'channelDown' },
  { code: 'EMESSAGE', verdict: 'rejected' },
  { code: 'EDNS', verdict: 'transient' },
  { code: 'ETLS', verdict: 'transient' },
  { code: 'EABORT', verdict: 'ambiguous' },
  { syscall: /^(connect|getaddrinfo)/, verdict: 'transient' },
  { code: 'ETIMEDOUT', message: /^(Connection timeout|Greeting never received)/, verdict: 'transient' },
];

/** A mail that people read. */
const MAX_BODY_BYTES = 512 * 1024;

/**
 * Sends a mail through a nodemailer transport. SMTP has no idempotency key, so an unknown outcome is repeated at most once,
 * marked, with the same `Message-ID`. Recipients that were refused while others were accepted are in the receipt.
 */
export function smtp(options: SmtpOptions): Channel {
  const { transport, from, secrets = [], name = 'smtp' } = options ?? {};
  const to = typeof options?.to === 'string' ? [options.to] : [...(options?.to ?? [])];
  if (typeof transport?.sendMail !== 'function') throw invalid('transport', 'must have a sendMail function');
  if (typeof from !== 'string' || from === '') throw invalid('from', 'must be an address');
  if (to.length === 0 || to.some((address) => typeof address !== 'string' || address === ''))
    throw invalid('to', 'must be one or more addresses');
  return {
    name,
    idempotent: false,
    secrets: [...secrets, ...passwordOf(transport)],
    async send(alert, context) {
      const note = repeatNote(context);
      const text = context.minimal
        ? `id ${cutBytes(alert.id, 100)}\n${alert.title}`
        : [alert.title, alert.body ?? '', `id ${alert.id}`].filter((line) => line !== '').join('\n\n');
      const mail: Mail = {
        from,
        to,
        subject: oneLine(headline(alert), 200),
        text: [cutBytes(text, context.minimal ? 600 : MAX_BODY_BYTES), note].filter((line) => line !== '').join('\n\n'),
        messageId: `<${context.idempotencyKey}@${domainOf(from)}>`,
        headers: { 'X-Holdfast-Key': context.idempotencyKey },
        signal: context.signal,
      };
      let info: { messageId?: unknown; accepted?: unknown; rejected?: unknown };
      try {
        info = ((await transport.sendMail(mail as never)) ?? {}) as typeof info;
      } catch (error) {
        throw new ChannelError(messageOf(error), smtpVerdict(error), detailOf(error));
      }
      const rejected = addresses(info.rejected);
      // An empty list of whom it was accepted for means nobody, whatever the promise said.
      if (Array.isArray(info.accepted) && info.accepted.length === 0)
        throw new ChannelError('the mail server accepted no recipient', { kind: 'channelDown' }, 'no recipient');
      return { id: typeof info.messageId === 'string' ? info.messageId : undefined, rejected };
    },
  };
}

/** The verdict of what `sendMail` rejected with. */
export function smtpVerdict(error: unknown): Verdict {
  const { responseCode, code, command, message, syscall } = (error ?? {}) as Record<string, unknown>;
  const reply = typeof responseCode === 'number' ? responseCode : undefined;
  const fits = (pattern: RegExp | undefined, value: unknown): boolean =>
    pattern === undefined || (typeof value === 'string' && pattern.test(value));
  for (const row of SMTP_RULES) {
    const replyFits =
      row.reply === undefined ||
      (reply !== undefined && (row.reply === reply || row.reply === String(Math.floor(reply / 100))));
    if (
      replyFits &&
      (row.code === undefined || row.code === code) &&
      fits(row.command, command) &&
      fits(row.message, message) &&
      fits(row.syscall, syscall)
    )
      return { kind: row.verdict };
  }
  return { kind: 'ambiguous' };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function detailOf(error: unknown): string | undefined {
  const { responseCode, code } = (error ?? {}) as Record<string, unknown>;
  if (typeof responseCode === 'number') return `smtp ${responseCode}`;
  return typeof code === 'string' ? code : undefined;
}

function addresses(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.map((each: unknown) =>
    typeof each === 'string' ? each : String((each as { address?: unknown } | null)?.address ?? each),
  );
}

/** The password that the transport was made with, if it says so: servers repeat what they got in their error texts. */
function passwordOf(transport: MailTransport): string[] {
  const options = (transport as { options?: { auth?: { user?: unknown; pass?: unknown } } }).options;
  const { user, pass } = options?.auth ?? {};
  if (typeof pass !== 'string') return [];
  const plain = Buffer.from(`\0${String(user)}\0${pass}`).toString('base64');
  return [pass, Buffer.from(pass).toString('base64'), plain];
}

function domainOf(from: string): string {
  return /@([\w.-]+)/.exec(from)?.[1] ?? 'localhost';
}

function invalid(name: string, rule: string): DeliveryError {
  return new DeliveryError('DELIVERY_INVALID_OPTION', `smtp: ${name} ${rule}`);
}
