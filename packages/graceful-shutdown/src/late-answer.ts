import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { GUARDED, type GuardedName, type LateView, late, type Method, type Methods } from './late-view.js';

/** What a guarded response holds. */
export interface Guarded {
  /** The methods of the response as they were when it was guarded: what an answer in the handler's place is given with. */
  methods: UnguardedMethods;
  late: LateView | undefined;
  /** The handler ends its own answer. */
  onEnd(): void;
}

/** A registered symbol, so that the ESM and the CommonJS copy of this package find each other's. */
const PLACE = Symbol.for('holdfast.graceful-shutdown.guard');
type Placed = { [PLACE]?: GuardPlace };

/** Where an exchange keeps its guard. */
export interface GuardPlace {
  guard: Guarded | undefined;
}

/**
 * Gives an exchange the place for its guard. Best done before a framework gets it: on a request or response whose prototype
 * express has changed, a property more costs 5 microseconds.
 */
export function givePlace(request: IncomingMessage, response: ServerResponse, place: GuardPlace): GuardPlace {
  (request as Placed)[PLACE] = place;
  (response as Placed)[PLACE] = place;
  return place;
}

/** The place that a request or response was given. */
export function placeOf(either: IncomingMessage | ServerResponse): GuardPlace | undefined {
  return (either as Placed)[PLACE];
}

/** The guard of an exchange, which gets one if it has none. */
export function guarded(request: IncomingMessage, response: ServerResponse): Guarded {
  const place = placeOf(response) ?? givePlace(request, response, { guard: undefined });
  if (place.guard) return place.guard;
  const held: Guarded = { methods: undefined as unknown as UnguardedMethods, late: undefined, onEnd: () => undefined };
  guardResponse(response, place, held);
  return held;
}

/** Headers that describe the handler's answer, not the connection or the policy around it. */
const ENTITY_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'content-disposition',
  'transfer-encoding',
  'cache-control',
  'expires',
  'etag',
  'last-modified',
  'trailer',
];

export type UnguardedMethods = Readonly<Methods>;

/** The guarded methods of a prototype, and those beneath. */
interface GuardedPrototype {
  readonly original: Methods;
  readonly guards: Methods;
  /** The guards are in the prototype itself. */
  readonly inPlace: boolean;
}

const prototypes = new WeakMap<object, GuardedPrototype>();

/**
 * Puts guards over `response`'s methods. They pass everything through until {@link answerInPlace}, and are never replaced
 * afterwards, so that a middleware mounted later may wrap them and still sees the handler's late answer.
 */
export function guardResponse(response: ServerResponse, place: GuardPlace, held: Guarded): void {
  place.guard = held;
  const methods = response as unknown as Methods;
  const prototype = Object.getPrototypeOf(response) as Methods;
  const known = prototypes.get(prototype) ?? guardPrototype(prototype);
  if (!isAsMade(methods, prototype, known.inPlace)) held.methods = guardOneByOne(methods, prototype, known);
  else {
    held.methods = known.original;
    if (!known.inPlace) assignAll(methods, known.guards);
  }
}

/**
 * True when no method has been replaced on the response itself. This runs for every request: spelled out it is fast, and on a
 * response whose prototype was changed, where each look is slow, the two that are replaced by whoever replaces any must do.
 */
function isAsMade(response: Methods, prototype: Methods, inPlace: boolean): boolean {
  if (response.end !== prototype.end || response.writeHead !== prototype.writeHead) return false;
  return (
    inPlace ||
    (response.write === prototype.write &&
      response.setHeader === prototype.setHeader &&
      response.getHeader === prototype.getHeader &&
      response.removeHeader === prototype.removeHeader &&
      response.appendHeader === prototype.appendHeader &&
      response.setHeaders === prototype.setHeaders &&
      response.getHeaders === prototype.getHeaders &&
      response.getHeaderNames === prototype.getHeaderNames &&
      response.hasHeader === prototype.hasHeader &&
      response.flushHeaders === prototype.flushHeaders)
  );
}

function assignAll(response: Methods, guards: Methods): void {
  response.writeHead = guards.writeHead;
  response.setHeader = guards.setHeader;
  response.appendHeader = guards.appendHeader;
  response.setHeaders = guards.setHeaders;
  response.removeHeader = guards.removeHeader;
  response.getHeader = guards.getHeader;
  response.getHeaders = guards.getHeaders;
  response.getHeaderNames = guards.getHeaderNames;
  response.hasHeader = guards.hasHeader;
  response.flushHeaders = guards.flushHeaders;
  response.write = guards.write;
  response.end = guards.end;
}

/** For a response some of whose methods were replaced by middleware mounted outside: those are what the answer goes through. */
function guardOneByOne(response: Methods, prototype: Methods, known: GuardedPrototype): UnguardedMethods {
  const original = {} as Methods;
  for (const name of GUARDED) {
    const method = response[name];
    const isOwn = method !== prototype[name];
    original[name] = isOwn ? method : known.original[name];
    if (isOwn) response[name] = guard(name, method);
    else if (!known.inPlace && method !== undefined) response[name] = known.guards[name];
  }
  return original;
}

/**
 * express gives each app a response prototype of its own, which is no class. It is guarded in place, once, for all responses
 * of the app and of those mounted in it: properties added to a response whose prototype was changed cost 50 microseconds.
 */
function guardPrototype(prototype: Methods): GuardedPrototype {
  const guards = {} as Methods;
  const original = {} as Methods;
  for (const name of GUARDED) {
    if (prototype[name] === undefined) continue;
    original[name] = prototype[name];
    guards[name] = guard(name, prototype[name]);
  }
  const known = { original, guards, inPlace: !Object.hasOwn(prototype, 'constructor') };
  if (known.inPlace) Object.assign(prototype, guards);
  prototypes.set(prototype, known);
  return known;
}

/**
 * Answers with the methods that the response had when it was guarded, unless an answer has begun (then `false`). From then on
 * the handler's own answer is dropped: nothing throws, nothing is written, `onDropped` is told once when it ends.
 */
export function answerInPlace(
  response: ServerResponse,
  held: Guarded,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string,
  onDropped: (status: number) => void,
): boolean {
  if (response.headersSent || response.writableEnded || response.destroyed || held.late) return false;
  held.onEnd();
  const original = held.methods;
  const view: LateView = { headers: new Map(), onDropped, begun: false, ended: false, showing: false };
  for (const [name, value] of Object.entries(original.getHeaders.call(response) as OutgoingHttpHeaders))
    view.headers.set(name, { name, value });
  const handlers = { statusCode: response.statusCode, statusMessage: response.statusMessage };
  for (const name of ENTITY_HEADERS) original.removeHeader.call(response, name);
  for (const [name, value] of Object.entries(headers)) original.setHeader.call(response, name, value);
  showDuringLastEvents(response, view, { statusCode: status, statusMessage: '' }, handlers);
  original.writeHead.call(response, status);
  original.end.call(response, body);
  held.late = view;
  anyLate = true;
  Object.assign(response, handlers);
  pretendUnanswered(response, view);
  return true;
}

/** Whether any response was ever answered in its handler's place: asked at each call, so it is not looked for on the response. */
let anyLate = false;

/** Passes through to `original` until somebody else has answered. */
function guard(name: GuardedName, original: Method): Method {
  if (name === 'end')
    return function end(...args) {
      const held = placeOf(this)?.guard;
      if (held === undefined) return original.apply(this, args);
      if (held.late && !held.late.showing) return late.end(this, held.late, args);
      held.onEnd();
      return original.apply(this, args);
    };
  return function guarded(...args) {
    if (!anyLate) return original.apply(this, args);
    const view = placeOf(this)?.guard?.late;
    return view === undefined || view.showing ? original.apply(this, args) : late[name](this, view, args);
  };
}

type Shown = Pick<ServerResponse, 'statusCode' | 'statusMessage'>;

/**
 * An access log reads the response in 'finish' or 'close': it must see what was sent. Everybody else asks on behalf of the
 * late answer and must see the handler's own.
 */
function showDuringLastEvents(response: ServerResponse, view: LateView, sent: Shown, handlers: Shown): void {
  for (const event of ['finish', 'close'] as const) {
    response.prependOnceListener(event, () => {
      view.showing = true;
      Object.assign(handlers, { statusCode: response.statusCode, statusMessage: response.statusMessage });
      Object.assign(response, sent);
    });
    response.once(event, () => {
      view.showing = false;
      Object.assign(response, handlers);
    });
  }
}

/**
 * The handler's own answer has not begun, as far as anybody but node can see: express would destroy the connection for an
 * error after headersSent, fastify and koa would drop the answer before middleware mounted inside has seen it.
 */
function pretendUnanswered(response: ServerResponse, view: LateView): void {
  Object.defineProperties(response, {
    headersSent: { configurable: true, get: () => view.showing || view.begun },
    writableEnded: { configurable: true, get: () => view.showing || view.ended },
  });
}

/** The path of a request without its query, which may hold secrets. */
export function pathOf(request: IncomingMessage): string {
  const url = (request as { originalUrl?: string }).originalUrl ?? request.url ?? '';
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
