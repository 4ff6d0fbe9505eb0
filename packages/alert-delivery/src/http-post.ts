import { ChannelError } from './errors.js';
import { retryAfterMs, type Verdict, type VerdictKind } from './verdict.js';

/** How a provider's answers read: the first row that fits decides; what no row says follows from the status alone. */
export interface RuleRow {
  readonly status: number | '4xx' | '5xx';
  /** Only when the body contains it. */
  readonly body?: RegExp;
  readonly verdict: VerdictKind;
}

/** What every provider has in common. 408, 425 and 5xx may work in a moment; 401, 403, 404 and 410 concern every message. */
export const COMMON_RULES: readonly RuleRow[] = [
  { status: 408, verdict: 'transient' },
  { status: 425, verdict: 'transient' },
  { status: 429, verdict: 'throttled' },
  { status: 401, verdict: 'channelDown' },
  { status: 403, verdict: 'channelDown' },
  { status: 404, verdict: 'channelDown' },
  { status: 410, verdict: 'channelDown' },
  { status: '4xx', verdict: 'rejected' },
  { status: '5xx', verdict: 'transient' },
];

/** The longest answer that is read; the rest is cancelled. */
const MAX_ANSWER_CHARS = 2000;

/**
 * Posts and resolves with the answer, or throws a `ChannelError` with the verdict of the rules. Redirects are not
 * followed, because they would carry the credential to another host; every body is read or cancelled.
 */
export async function post(request: {
  url: string;
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
  rules: readonly RuleRow[];
  provider: string;
}): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await globalThis.fetch(request.url, {
    method: 'POST',
    headers: request.headers,
    body: request.body,
    signal: request.signal,
    redirect: 'manual',
  });
  const text = await answer(response);
  if (response.status >= 200 && response.status < 300)
    return { status: response.status, headers: response.headers, text };
  const verdict = verdictOf(response.status, text, request.rules);
  const wait =
    verdict === 'throttled' || verdict === 'transient'
      ? retryAfterMs(response.headers, Date.parse(response.headers.get('date') ?? '') || 0)
      : undefined;
  const full: Verdict = wait === undefined ? { kind: verdict } : { kind: verdict, retryAfterMs: wait };
  const word = text.trim().slice(0, 200);
  throw new ChannelError(
    `${request.provider} answered ${response.status}${word ? `: ${word}` : ''}`,
    full,
    `http ${response.status}`,
  );
}

/** The verdict of a status and a body. A redirect means that the URL is wrong for every message. */
export function verdictOf(status: number, body: string, rules: readonly RuleRow[]): VerdictKind {
  if (status >= 300 && status < 400) return 'channelDown';
  for (const row of [...rules, ...COMMON_RULES]) {
    const fits =
      row.status === status ||
      (row.status === '4xx' && status >= 400 && status < 500) ||
      (row.status === '5xx' && status >= 500);
    if (fits && (row.body === undefined || row.body.test(body))) return row.verdict;
  }
  return 'transient';
}

async function answer(response: Response): Promise<string> {
  if (!response.body) return '';
  let text = '';
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    while (text.length < MAX_ANSWER_CHARS) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += decoder.decode(value, { stream: true });
    }
    return text.slice(0, MAX_ANSWER_CHARS);
  } catch (error) {
    // The status is known and says what happened; of a 2xx the message was taken, whatever became of the answer's body.
    if (response.status >= 200 && response.status < 300) return text;
    throw error;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
