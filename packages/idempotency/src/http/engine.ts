import { systemClock } from '@holdfast/clock';
import { createEmitter } from '@holdfast/observe';
import { alertmanager } from '../alertmanager.js';
import type { Idempotency } from '../idempotency.js';
import { type Answer, type Header, isFinal } from './answer.js';
import { checkHttpOptions, type HttpOptions } from './options.js';
import { problem, type Reply, refusalOf, replayOf } from './reply.js';
import { planRequest, quoteKey, type RequestFacts, UNREAD } from './request-key.js';

/** One request, as an adapter hands it to the engine. */
export interface Exchange {
  readonly facts: Omit<RequestFacts, 'given' | 'scope'>;
  /** The sender's address, unless the `sender` option says otherwise. */
  readonly address: string | undefined;
  /**
   * Runs the handler, adds `own` headers to what it sends, and resolves with its answer, which stays held back. Rejects with
   * what the handler throws.
   */
  run(own: readonly Header[]): Promise<Answer>;
}

/** How a request went: the handler has not been called, or it answered, or this is to be sent instead of its answer. */
export type Passage =
  | { readonly do: 'pass' }
  | { readonly do: 'send-own'; readonly ran: true }
  | { readonly do: 'reply'; readonly reply: Reply; readonly ran: boolean };

/** The part of the middleware that knows no framework: from a request to a key, from an outcome to an answer. */
export interface HttpEngine<R> {
  readonly maxAnswerBytes: number;
  /** Rejects with what the handler threw once its key is free; then nothing of this package stands in its way any more. */
  handle(request: R, exchange: Exchange): Promise<Passage>;
}

/** @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION` */
export function createEngine<R>(idempotency: Idempotency, options: HttpOptions<R>): HttpEngine<R> {
  const { preset, maxAnswerBytes } = checkHttpOptions(options);
  const laneOf = alertmanager(options.alertmanager);
  const emit = createEmitter('idempotency', options.onEvent);
  const reported = new Set<string>();
  const reportOnce = (type: 'http.key_ignored' | 'http.body_unread'): void => {
    if (reported.has(type)) return;
    reported.add(type);
    emit(type === 'http.key_ignored' ? { type, reason: 'alertmanager-body' } : { type });
  };
  const retain = (answer: Answer): boolean => isFinal(answer) && options.keep?.(answer.status) !== false;
  const waiting = options.waitMs === undefined ? {} : { waitMs: options.waitMs };

  const handle = async (request: R, exchange: Exchange): Promise<Passage> => {
    const { facts } = exchange;
    const given = typeof options.key === 'function' ? await options.key(request) : undefined;
    const sender = options.sender ? options.sender(request) : exchange.address;
    const scope = options.scope?.(request) ?? '';
    const plan = planRequest({ ...facts, given, scope }, preset, (body) => laneOf(body, { sender }));
    if (facts.body === UNREAD && plan.do !== 'refuse' && given === undefined) reportOnce('http.body_unread');
    if (plan.do === 'run-unprotected') return { do: 'pass' };
    if (plan.do === 'refuse') return { do: 'reply', reply: problem(plan.status, plan.title), ran: false };
    if (plan.headerIgnored) reportOnce('http.key_ignored');

    const own = (ageMs: number): Header[] => {
      if (preset === 'webhook' || plan.header === undefined) return [];
      const expires = systemClock.now() + idempotency.ttlMs - ageMs;
      return [
        ['idempotency-key', quoteKey(plan.header)],
        ['idempotency-expires', `@${Math.floor(expires / 1_000)}`],
      ];
    };
    let ran = false;
    const run = (): Promise<Answer> => {
      ran = true;
      return exchange.run(own(0));
    };
    try {
      const { key, fingerprint } = plan;
      const outcome = await idempotency.execute(key, run, { ...waiting, fingerprint, retain });
      if (ran) return { do: 'send-own', ran };
      return { do: 'reply', reply: replayOf(outcome, own(outcome.ageMs), preset), ran };
    } catch (error) {
      const reply = refusalOf(error, preset);
      // The handler has answered, and only the recording failed: its answer counts.
      if (ran && reply && !isLost(error)) return { do: 'send-own', ran };
      if (!reply) throw error;
      return { do: 'reply', reply, ran };
    }
  };
  return { maxAnswerBytes, handle };
}

function isLost(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'IDEMPOTENCY_LEASE_LOST';
}
