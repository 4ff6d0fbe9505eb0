import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEmitter } from '@holdfast/observe';
import { alertmanager } from '../alertmanager.js';
import { isIdempotencyError } from '../errors.js';
import type { Idempotency, Outcome } from '../idempotency.js';
import { type Answer, isFinal } from './answer.js';
import { captureAnswer } from './capture.js';
import { checkHttpOptions, type HttpOptions } from './options.js';
import { planRequest, type RequestFacts } from './request-key.js';

/** A request of node:http, or of a framework that extends it. `body` is what a body parser mounted before left. */
export interface NodeRequest extends IncomingMessage {
  body?: unknown;
  rawBody?: unknown;
  originalUrl?: string;
}

type Next = (error?: unknown) => void;

/** The middleware behind the express and node adapters. */
export function nodeMiddleware<R extends NodeRequest>(
  idempotency: Idempotency,
  options: HttpOptions<R>,
): (request: R, response: ServerResponse, next: Next) => void {
  const { preset, maxAnswerBytes } = checkHttpOptions(options);
  const laneOf = alertmanager();
  const emit = createEmitter('idempotency', options.onEvent);
  let reported = false;

  const handle = async (request: R, response: ServerResponse, next: Next): Promise<void> => {
    const given = typeof options.key === 'function' ? await options.key(request) : undefined;
    const sender = request.socket.remoteAddress;
    const plan = planRequest(factsOf(request, options, given), preset, (body) => laneOf(body, { sender }));
    if (plan.do === 'run-unprotected') return next();
    if (plan.do === 'refuse') return problem(response, plan.status, plan.title);
    if (plan.headerIgnored && !reported) {
      reported = true;
      emit({ type: 'http.key_ignored', reason: 'alertmanager-body' });
    }

    let capture: ReturnType<typeof captureAnswer> | undefined;
    const handler = (): Promise<Answer> => {
      capture = captureAnswer(response, maxAnswerBytes);
      next();
      return capture.answered;
    };
    try {
      const { fingerprint } = plan;
      const waiting = options.waitMs === undefined ? {} : { waitMs: options.waitMs };
      const outcome = await idempotency.execute(plan.key, handler, { ...waiting, fingerprint, retain: isFinal });
      if (!capture) replay(response, outcome, preset);
    } catch (error) {
      if (!capture) refuse(response, error, preset, next);
    } finally {
      capture?.release();
    }
  };
  return (request, response, next) => {
    handle(request, response, next).catch(next);
  };
}

function factsOf<R extends NodeRequest>(
  request: R,
  options: HttpOptions<R>,
  given: RequestFacts['given'],
): RequestFacts {
  const { headers, headersDistinct, method = '' } = request;
  return {
    method,
    path: (request.originalUrl ?? request.url ?? '').split('?', 1)[0]!,
    keyHeaders: headersDistinct['idempotency-key'] ?? [],
    authorization: headers.authorization,
    scope: options.scope?.(request) ?? '',
    body: request.body,
    given,
  };
}

/** Gives a stored or joined answer; one that could not be kept is asked for again. */
function replay(response: ServerResponse, { value, ageMs }: Outcome<Answer>, preset: string): void {
  if (value.body === undefined) return again(response, preset, 1_000);
  response.statusCode = value.status;
  for (const [name, header] of value.headers)
    response.setHeader(name, typeof header === 'string' ? header : [...header]);
  response.setHeader('idempotent-replayed', 'true');
  response.setHeader('age', String(Math.floor(ageMs / 1_000)));
  response.end(Buffer.from(value.body, 'base64'));
}

function refuse(response: ServerResponse, error: unknown, preset: string, next: Next): void {
  if (isIdempotencyError(error, 'IDEMPOTENCY_BUSY')) return again(response, preset, error.retryAfterMs ?? 1_000);
  if (isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED'))
    return problem(response, preset === 'ietf' ? 422 : 400, 'Idempotency-Key was used with another request');
  if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_KEY')) return problem(response, 400, error.message);
  if (isIdempotencyError(error)) {
    response.setHeader('retry-after', '1');
    return problem(response, 503, 'the idempotency store is away; nothing was done');
  }
  next(error);
}

function again(response: ServerResponse, preset: string, retryAfterMs: number): void {
  response.setHeader('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1_000))));
  problem(response, preset === 'webhook' ? 503 : 409, 'the same request is being worked on');
}

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
function problem(response: ServerResponse, status: number, title: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/problem+json');
  response.end(JSON.stringify({ type: 'about:blank', status, title }));
}
