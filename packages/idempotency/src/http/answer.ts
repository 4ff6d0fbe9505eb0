/** An HTTP answer as it is stored: JSON, the bytes as base64. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string | readonly string[]])[];
  /** Undefined when it was too large to keep, or a stream: then only its status is known. */
  readonly body: string | undefined;
}

/** Of the connection, of the moment, or of one client: never replayed. */
const NOT_REPLAYED = new Set([
  'set-cookie',
  'date',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'traceparent',
  'tracestate',
  'x-request-id',
  'server-timing',
]);

/** The headers that a replay repeats. */
export function replayedHeaders(headers: Record<string, unknown>): Answer['headers'] {
  return Object.entries(headers)
    .filter(([name, value]) => value !== undefined && !NOT_REPLAYED.has(name.toLowerCase()))
    .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)] as const);
}

/** Whether an answer is final: a failure of the server or a refusal for now (429) is run again by the retry. */
export function isFinal(answer: Answer): boolean {
  return answer.body !== undefined && answer.status < 500 && answer.status !== 429;
}
