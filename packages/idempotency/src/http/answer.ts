/** An HTTP answer as it is stored: JSON, the bytes as base64. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly Header[];
  /** Undefined when it was too large to keep, a stream, or broken off: then only its status is known. */
  readonly body: string | undefined;
}

/** A header; one that was set several times has a list. */
export type Header = readonly [name: string, value: string | readonly string[]];

/** Of the connection, of the moment, or of one client: never replayed. The last two are made anew for each answer. */
const NOT_REPLAYED = new Set([
  'set-cookie',
  'date',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'traceparent',
  'tracestate',
  'x-request-id',
  'server-timing',
  'idempotency-key',
  'idempotency-expires',
]);

/** The headers that a replay repeats. What `Connection` names belongs to the connection too (RFC 9110, 7.6.1). */
export function replayedHeaders(headers: Iterable<readonly [string, unknown]>): Header[] {
  const kept: Header[] = [];
  const ofConnection: string[] = [];
  for (const [given, value] of headers) {
    const name = given.toLowerCase();
    if (name === 'connection') ofConnection.push(...String(value).toLowerCase().split(','));
    else if (value !== undefined && !NOT_REPLAYED.has(name))
      kept.push([name, Array.isArray(value) ? value.map(String) : String(value)]);
  }
  if (ofConnection.length === 0) return kept;
  const named = new Set(ofConnection.map((name) => name.trim()));
  return kept.filter(([name]) => !named.has(name));
}

/** Whether a status may have a body, and so a length: https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1 */
export function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 205 && status !== 304;
}

/** Whether the content type is one that never ends. */
export function isEventStream(contentType: unknown): boolean {
  return /^\s*text\/event-stream/i.test(String(contentType ?? ''));
}

/** Whether an answer is final: a failure of the server or a refusal for now (429) is run again by the retry. */
export function isFinal(answer: Answer): boolean {
  return answer.body !== undefined && answer.status < 500 && answer.status !== 429;
}
