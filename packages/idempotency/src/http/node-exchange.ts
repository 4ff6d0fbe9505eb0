import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer, Header } from './answer.js';
import { type Capture, captureAnswer } from './capture.js';
import type { HttpEngine } from './engine.js';
import type { Reply } from './reply.js';
import { UNREAD } from './request-key.js';

/** A request of node:http, or of a framework that extends it. `body` is what a body parser mounted before left. */
export interface NodeRequest extends IncomingMessage {
  // biome-ignore lint/suspicious/noExplicitAny: what a parser leaves has any type; unknown would take it from later handlers
  body?: any;
  rawBody?: unknown;
  originalUrl?: string;
  ip?: string | undefined;
}

/** What a framework over node:http has to bring. */
export interface NodeExchange<R> {
  /** What the options' functions are called with. */
  readonly subject: R;
  readonly request: NodeRequest;
  readonly response: ServerResponse;
  /** The parsed body, where the framework has it elsewhere. */
  readonly body?: unknown;
  /** After trusted proxies. */
  readonly address?: string | undefined;
  /** Headers that the framework has set and keeps to itself until it answers. */
  pending?(): object;
  /** Calls the handler; what it throws, or rejects with, ends the run. `held`: its answer is held back until it is stored. */
  next(held: boolean): unknown;
}

/**
 * Takes a request through the engine. Resolves with whether the handler was called, after everything was sent or handed on;
 * rejects with what the handler threw, its key free and the response as the handler left it.
 */
export async function throughNode<R>(engine: HttpEngine<R>, exchange: NodeExchange<R>): Promise<boolean> {
  const { subject, request, response, next } = exchange;
  let capture: Capture | undefined;
  const run = (own: readonly Header[]): Promise<Answer> => {
    setHeaders(response, own);
    const started = captureAnswer(response, engine.maxAnswerBytes);
    capture = started;
    return new Promise((resolve, reject) => {
      void started.answered.then(resolve);
      try {
        const called = next(true);
        if (called instanceof Promise) called.catch(reject);
      } catch (error) {
        reject(error);
      }
    });
  };
  const { method = '', headers } = request;
  const key = headers['idempotency-key'];
  const facts = {
    method,
    path: (request.originalUrl ?? request.url ?? '').split('?', 1)[0]!,
    keyHeaders: key === undefined ? [] : (request.headersDistinct?.['idempotency-key'] ?? [String(key)]),
    authorization: headers.authorization,
    body: bodyOf(exchange),
  };
  const address = exchange.address ?? request.ip ?? request.socket.remoteAddress;
  let passage: Awaited<ReturnType<HttpEngine<R>['handle']>>;
  try {
    passage = await engine.handle(subject, { facts, address, run });
  } catch (error) {
    capture?.release();
    throw error;
  }
  if (passage.do === 'reply') {
    for (const [name, value] of Object.entries(exchange.pending?.() ?? {})) response.setHeader(name, value);
    if (capture) capture.replace(passage.reply);
    else sendReply(response, passage.reply);
    return passage.ran;
  }
  if (capture) capture.release();
  else await next(false);
  return true;
}

/** A body is there when the message says so: https://www.rfc-editor.org/rfc/rfc9112#section-6 */
function bodyOf({ request, body }: NodeExchange<unknown>): unknown {
  const found = body ?? request.body ?? request.rawBody;
  if (found !== undefined && found !== null) return found;
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  return coding !== undefined || (length !== undefined && Number(length) > 0) ? UNREAD : undefined;
}

function setHeaders(response: ServerResponse, headers: readonly Header[]): void {
  for (const [name, value] of headers) response.setHeader(name, value as string | string[]);
}

function sendReply(response: ServerResponse, { status, headers, body }: Reply): void {
  response.statusCode = status;
  setHeaders(response, headers);
  response.end(body);
}
