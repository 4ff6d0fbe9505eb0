import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '@holdfast/clock';
import { createEmitter } from '@holdfast/observe';
import { LifecycleError } from './errors.js';
import type { DeadlineEvent, LifecycleEvent } from './events.js';
import {
  answerInPlace,
  type Guarded,
  type GuardPlace,
  givePlace,
  guardResponse,
  pathOf,
  placeOf,
  type UnguardedMethods,
} from './late-answer.js';
import { lingerAfterAnswer } from './lingering-close.js';
import { callback, DEFAULTS, duration, refuse } from './options.js';
import { createWaitingLine, type Waiting, type WaitingLine } from './waiting-line.js';

/** Options of `requestDeadline`, the same for every framework. */
export interface RequestDeadlineOptions {
  /** How long the handler may take, counted from the request's arrival, its body included. Milliseconds, 1 to 2^31-1. */
  handlerMs: number;
  /** How long the client may take to send its body. Milliseconds. Left out, only `handlerMs` bounds it. */
  bodyMs?: number | undefined;
  /** The status for a body that did not arrive in time; 503 where the sender never retries a 4xx. @defaultValue 408 */
  bodyStatus?: number | undefined;
  /** Called for each exceeded deadline; it observes. */
  onOverrun?: ((overrun: Overrun) => void) | undefined;
  /** Told `deadline.exceeded` and `deadline.answer_dropped`. */
  onEvent?: ((event: LifecycleEvent) => void) | undefined;
  /** The time source. @defaultValue the system's */
  clock?: Clock | undefined;
}

/** The facts of one exceeded deadline. */
export type Overrun = Omit<Extract<DeadlineEvent, { type: 'deadline.exceeded' }>, 'type'>;

/** Options with their defaults and their emitter. */
export interface DeadlineSettings {
  readonly handlerMs: number;
  /** `handlerMs` where it was left out. */
  readonly bodyMs: number;
  readonly bodyStatus: number;
  readonly clock: Clock;
  readonly emit: (event: DeadlineEvent) => void;
  readonly onOverrun: ((overrun: Overrun) => void) | undefined;
  /** Where a request waits from its arrival, for the first of its deadlines. */
  readonly line: WaitingLine<Armed>;
}

/** Checks `options` once, when the middleware is made. @throws LifecycleError `LIFECYCLE_INVALID_OPTION` */
export function deadlineSettings(options: RequestDeadlineOptions): DeadlineSettings {
  if (typeof options !== 'object' || options === null) refuse('options', 'must be { handlerMs, … }', options);
  const { bodyMs, bodyStatus = DEFAULTS.bodyStatus } = options;
  if (!(options.handlerMs >= 1)) refuse('handlerMs', 'must be a number of milliseconds >= 1', options.handlerMs);
  if (bodyMs !== undefined && !(bodyMs >= 1)) refuse('bodyMs', 'must be a number of milliseconds >= 1', bodyMs);
  if (!Number.isInteger(bodyStatus) || bodyStatus < 400 || bodyStatus > 599)
    refuse('bodyStatus', 'must be an HTTP status from 400 to 599', bodyStatus);
  const handlerMs = duration('handlerMs', options.handlerMs, 0);
  const clock = options.clock ?? systemClock;
  return {
    handlerMs,
    bodyMs: duration('bodyMs', bodyMs, handlerMs),
    bodyStatus,
    clock,
    line: createWaitingLine(Math.min(handlerMs, bodyMs ?? handlerMs), clock, onDue),
    emit: createEmitter<LifecycleEvent>('graceful-shutdown', callback('onEvent', options.onEvent)),
    onOverrun: callback('onOverrun', options.onOverrun),
  };
}

/** One request under a deadline. A class, so that a request costs one object. */
class Armed implements Waiting, Guarded {
  settings: DeadlineSettings;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly arrivedMs: number;
  /** Told when an answer was given in the handler's place. */
  readonly onAnswered: (() => void) | undefined;
  /** Made when the signal is asked for. */
  controller: AbortController | undefined;
  /** What the signal aborts with, once the deadline has passed. */
  reason: LifecycleError | undefined;
  /** For every wait after the first. */
  cancel: (() => void) | undefined;
  over = false;
  methods = undefined as unknown as UnguardedMethods;
  late: Guarded['late'];
  dueMs = 0;
  line: Waiting['line'];
  before: Waiting['before'];
  after: Waiting['after'];

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    settings: DeadlineSettings,
    onAnswered: (() => void) | undefined,
  ) {
    this.request = request;
    this.response = response;
    this.settings = settings;
    this.onAnswered = onAnswered;
    this.arrivedMs = settings.clock.monotonic();
  }

  onEnd(): void {
    this.over = true;
    this.rest();
  }

  rest(): void {
    this.settings.line.leave(this);
    this.cancel?.();
  }
}

/** The deadline among guards: a drain that answers in a handler's place has one too. */
function armedIn(place: GuardPlace | undefined): Armed | undefined {
  const guard = place?.guard;
  return guard !== undefined && 'arrivedMs' in guard ? (guard as Armed) : undefined;
}

/** How often a body that the handler does not read is looked at again. */
const BLOCKED_BODY_LOOK_MS = 250;

/**
 * Puts a request under a deadline. Mounted twice on one request (a router's inside the app's), the later one's times hold,
 * still counted from the request's arrival.
 */
export function armDeadline(
  request: IncomingMessage,
  response: ServerResponse,
  settings: DeadlineSettings,
  onAnswered?: () => void,
): void {
  const place = placeOf(response) ?? givePlace(request, response, { guard: undefined });
  const before = armedIn(place);
  if (before) {
    if (before.over) return;
    before.rest();
    before.settings = settings;
    const elapsed = settings.clock.monotonic() - before.arrivedMs;
    again(before, Math.min(settings.bodyMs, settings.handlerMs) - elapsed);
    return;
  }
  const armed = new Armed(request, response, settings, onAnswered);
  guardResponse(response, place, armed);
  settings.line.join(armed);
}

function again(armed: Armed, ms: number): void {
  armed.cancel = armed.settings.clock.schedule(Math.max(0, ms), () => onDue(armed));
}

/**
 * The signal of the request's deadline: it aborts with a `LIFECYCLE_DEADLINE_EXCEEDED` error when the deadline passes.
 * It does not abort when the client goes away.
 *
 * @throws LifecycleError `LIFECYCLE_NO_DEADLINE` when no `requestDeadline` is mounted before the handler.
 */
export function signalOf(request: IncomingMessage): AbortSignal {
  const armed = armedIn(placeOf(request));
  if (armed) {
    armed.controller ??= new AbortController();
    if (armed.reason) armed.controller.abort(armed.reason);
    return armed.controller.signal;
  }
  throw new LifecycleError(
    'LIFECYCLE_NO_DEADLINE',
    'deadlineSignal() was called for a request without a deadline: mount requestDeadline() before this handler',
  );
}

function onDue(armed: Armed): void {
  const { bodyMs, handlerMs, clock } = armed.settings;
  const elapsed = clock.monotonic() - armed.arrivedMs;
  const { request } = armed;
  // The client went away, or the answer was ended past the guards: nobody is owed anything.
  if (armed.response.destroyed || armed.response.writableEnded) armed.over = true;
  // Timers may fire a fraction of a millisecond early on the monotonic clock.
  else if (elapsed >= handlerMs - 1) overrun(armed, 'handler', elapsed);
  else if (bodyMs >= handlerMs || request.complete) again(armed, handlerMs - elapsed);
  // A full buffer that nobody reads is the handler's fault, not the client's.
  else if (request.readableLength >= request.readableHighWaterMark)
    again(armed, Math.min(BLOCKED_BODY_LOOK_MS, handlerMs - elapsed));
  else overrun(armed, 'body', elapsed);
}

function overrun(armed: Armed, deadline: 'body' | 'handler', elapsedMs: number): void {
  const { settings, request, response } = armed;
  armed.over = true;
  const method = request.method ?? '';
  const path = pathOf(request);
  const timeoutMs = deadline === 'body' ? settings.bodyMs : settings.handlerMs;
  const status = deadline === 'body' ? settings.bodyStatus : 503;
  const message =
    deadline === 'body'
      ? `the request body did not arrive within ${timeoutMs} ms`
      : `no answer within ${timeoutMs} ms; it may be retried`;
  const headers: Record<string, string> = { 'cache-control': 'no-store' };
  if (status === 503) headers['retry-after'] = String(Math.min(60, Math.max(1, Math.ceil(timeoutMs / 1000))));
  const answered = answerOverHead(armed, request, response, settings.clock, {
    status,
    headers,
    code: deadline === 'body' ? 'REQUEST_BODY_TIMEOUT' : 'REQUEST_TIMEOUT',
    message,
    onDropped: (late) =>
      settings.emit({
        type: 'deadline.answer_dropped',
        method,
        path,
        status: late,
        lateMs: Math.round(settings.clock.monotonic() - armed.arrivedMs - timeoutMs),
      }),
  });
  if (answered) armed.onAnswered?.();
  const facts: Overrun = { deadline, method, path, elapsedMs: Math.round(elapsedMs), status: answered ? status : 0 };
  armed.reason = new LifecycleError('LIFECYCLE_DEADLINE_EXCEEDED', message, { deadline, timeoutMs });
  armed.controller?.abort(armed.reason);
  settings.emit({ type: 'deadline.exceeded', ...facts });
  if (settings.onOverrun) observe(settings.onOverrun, facts);
}

/** What is answered in a handler's place. */
export interface AnswerInPlace {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly code: string;
  readonly message: string;
  readonly onDropped: (status: number) => void;
}

/** Answers in the handler's place with a JSON error; where the body is still arriving, with a lingering close. */
export function answerOverHead(
  held: Guarded,
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  answer: AnswerInPlace,
): boolean {
  const body = JSON.stringify({ error: { code: answer.code, message: answer.message } });
  const headers: Record<string, string | number> = {
    ...answer.headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  };
  const unfinished = !request.complete && request.httpVersionMajor === 1;
  if (unfinished) headers.connection = 'close';
  if (response.headersSent || response.writableEnded || response.destroyed) return false;
  if (unfinished) lingerAfterAnswer(request, clock);
  return answerInPlace(response, held, answer.status, headers, body, answer.onDropped);
}

function observe(listener: (overrun: Overrun) => void, facts: Overrun): void {
  try {
    listener(facts);
  } catch (error) {
    process.emitWarning(`a requestDeadline onOverrun listener threw: ${String(error)}`, {
      type: 'HoldfastListenerWarning',
    });
  }
}
