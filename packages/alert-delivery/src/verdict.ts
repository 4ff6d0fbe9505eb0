import { isChannelError } from './errors.js';
import { oneLine } from './text.js';

/** What one failed attempt says about the next. */
export type VerdictKind =
  /** It may work in a moment: retry, then the next step. */
  | 'transient'
  /** The provider asks to wait: no message goes to this channel before `retryAfterMs`. */
  | 'throttled'
  /** This message is not accepted: once more in a minimal form, then the next step. Never counts against the breaker. */
  | 'rejected'
  /** No message can be delivered here (revoked, archived, unauthorised): the breaker opens at once. */
  | 'channelDown'
  /** Nobody knows whether it arrived: retried with the same key, or at most once and marked where there is no key. */
  | 'ambiguous';

export interface Verdict {
  readonly kind: VerdictKind;
  /** `throttled` (and `transient`, where the provider says so): milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

/** What a channel's `send` threw, as plain facts. Whatever is thrown, strings and `undefined` too, becomes one. */
export interface Failure {
  readonly verdict: Verdict;
  /** At most 2 KB, without control characters; secrets are removed later, by the redactor. */
  readonly text: string;
  readonly detail?: string | undefined;
}

/** Connection errors after which the request was certainly not sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Connection errors after which the request may have arrived. */
const MAYBE_SENT = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKET',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

const VERDICT_KINDS: readonly VerdictKind[] = ['transient', 'throttled', 'rejected', 'channelDown', 'ambiguous'];

/** Turns what was thrown into a {@link Failure}; `classify` is the channel's own opinion and may itself throw. */
export function failureOf(thrown: unknown, classify?: ((error: unknown) => Verdict | undefined) | undefined): Failure {
  const text = textOf(thrown);
  const own = ownVerdict(thrown, classify);
  if (own) return { verdict: own, text };
  if (isChannelError(thrown)) {
    return { verdict: checked(thrown.verdict) ?? { kind: 'transient' }, text, detail: thrown.detail };
  }
  const code = networkCode(thrown);
  if (code !== undefined && MAYBE_SENT.has(code)) return { verdict: { kind: 'ambiguous' }, text, detail: code };
  return { verdict: { kind: 'transient' }, text, detail: code !== undefined && NOT_SENT.has(code) ? code : undefined };
}

function ownVerdict(thrown: unknown, classify?: (error: unknown) => Verdict | undefined): Verdict | undefined {
  if (!classify) return undefined;
  try {
    return checked(classify(thrown));
  } catch {
    return undefined;
  }
}

function checked(verdict: Verdict | undefined): Verdict | undefined {
  if (!verdict || !VERDICT_KINDS.includes(verdict.kind)) return undefined;
  const wait = verdict.retryAfterMs;
  return wait === undefined ? { kind: verdict.kind } : { kind: verdict.kind, retryAfterMs: clampWait(wait) };
}

/** The first errno-like code in an error and its causes; fetch hides it in `cause`, of several addresses in `errors`. */
function networkCode(thrown: unknown, depth = 0): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || depth > 4) return undefined;
  const { code, cause, errors } = thrown as { code?: unknown; cause?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return networkCode(cause, depth + 1) ?? (Array.isArray(errors) ? networkCode(errors[0], depth + 1) : undefined);
}

/** Error text as it may be stored: one line, at most 2 KB, with the causes that say more than the error itself. */
function textOf(thrown: unknown): string {
  const parts: string[] = [];
  let current: unknown = thrown;
  for (let depth = 0; depth < 4 && current !== undefined && current !== null; depth++) {
    let part: string;
    try {
      part =
        current instanceof Error
          ? current.message || current.name
          : typeof current === 'object'
            ? JSON.stringify(current)
            : String(current);
    } catch {
      part = 'an error that can not be shown';
    }
    if (part && !parts.includes(part)) parts.push(part);
    current = current instanceof Error ? current.cause : undefined;
  }
  if (parts.length === 0) parts.push(`thrown: ${String(thrown)}`);
  return oneLine(parts.join(': '), 2048);
}

/** A day: a provider that asks for longer means "not today", and the alert escalates long before. */
const LONGEST_WAIT_MS = 24 * 60 * 60 * 1000;

/** A wait that is finite, not negative, and at most a day. Nonsense counts as one second. */
export function clampWait(ms: number): number {
  if (Number.isNaN(ms)) return 1000;
  return Math.min(Math.max(0, ms), LONGEST_WAIT_MS);
}

/**
 * What `Retry-After` (seconds or an HTTP date) or `X-RateLimit-Reset` (epoch seconds) asks for, in milliseconds, clamped
 * to a day. `undefined` when neither is there or neither can be read.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(headers: { get(name: string): string | null }, nowMs: number): number | undefined {
  const asked = headers.get('retry-after')?.trim();
  if (asked) {
    if (/^[+-]?\d+(\.\d+)?$/.test(asked)) return clampWait(Number(asked) * 1000);
    const date = Date.parse(asked);
    if (!Number.isNaN(date)) return clampWait(date - nowMs);
  }
  const reset = headers.get('x-ratelimit-reset')?.trim();
  if (reset && /^\d+$/.test(reset)) return clampWait(Number(reset) * 1000 - nowMs);
  return undefined;
}
