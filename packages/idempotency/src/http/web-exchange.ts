import { type Answer, type Header, hasBody, isEventStream, replayedHeaders } from './answer.js';
import type { HttpEngine } from './engine.js';
import type { Reply } from './reply.js';
import { UNREAD } from './request-key.js';

/** What a framework over fetch's Request and Response has to bring. */
export interface WebExchange<R> {
  /** What the options' functions are called with. */
  readonly subject: R;
  readonly request: Request;
  /** Gives a body that has been read before. */
  readonly read?: (() => Promise<ArrayBuffer>) | undefined;
  readonly address?: string | undefined;
  next(): Promise<Response>;
}

/** Takes a request through the engine; undefined when it is not for it, and `next` has not been called. */
export async function throughWeb<R>(engine: HttpEngine<R>, exchange: WebExchange<R>): Promise<Response | undefined> {
  const { subject, request, address, next } = exchange;
  let held: Response | undefined;
  const run = async (own: readonly Header[]): Promise<Answer> => {
    const { answer, response } = await takeAnswer(await next(), own, engine.maxAnswerBytes);
    held = response;
    return answer;
  };
  const key = request.headers.get('idempotency-key');
  const facts = {
    method: request.method,
    path: new URL(request.url).pathname,
    // Several are joined by a comma, which is no part of a bare key.
    keyHeaders: key === null ? [] : [key],
    authorization: request.headers.get('authorization') ?? undefined,
    body: await bodyOf(exchange),
  };
  const passage = await engine.handle(subject, { facts, address, run });
  if (passage.do === 'reply') return responseOf(passage.reply);
  return passage.do === 'pass' ? undefined : held;
}

/** The body, parsed when it is JSON: then the order of its keys does not count, and a groupKey is found. */
async function bodyOf({ request, read }: WebExchange<unknown>): Promise<unknown> {
  if (request.bodyUsed && !read) return UNREAD;
  if (!request.bodyUsed && request.body === null) return undefined;
  const bytes = Buffer.from(await (request.bodyUsed && read ? read() : request.clone().arrayBuffer()));
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return bytes;
  }
}

/** Reads the answer to its end, unless it is an event stream or larger than `maxBytes`: then the rest flows on. */
async function takeAnswer(
  response: Response,
  own: readonly Header[],
  maxBytes: number,
): Promise<{ answer: Answer; response: Response }> {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const [name, value] of own) headers.set(name, String(value));
  const send = (body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null): Response =>
    new Response(hasBody(status) ? body : null, { status, statusText, headers });
  const unkept: Answer = { status, headers: [], body: undefined };
  if (response.body === null)
    return { answer: { status, headers: replayedHeaders(response.headers), body: '' }, response: send(null) };
  if (isEventStream(headers.get('content-type'))) return { answer: unkept, response: send(response.body) };
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const chunks: Uint8Array[] = [];
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    bytes += value.length;
    if (bytes > maxBytes) return { answer: unkept, response: send(rest(chunks, reader)) };
  }
  const body = Buffer.concat(chunks);
  return {
    answer: { status, headers: replayedHeaders(response.headers), body: body.toString('base64') },
    response: send(body),
  };
}

function rest(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift() ?? (await reader.read()).value;
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function responseOf({ status, headers, body }: Reply): Response {
  const all = new Headers();
  for (const [name, value] of headers) for (const each of [value].flat()) all.append(name, each);
  return new Response(hasBody(status) ? body : null, { status, headers: all });
}
