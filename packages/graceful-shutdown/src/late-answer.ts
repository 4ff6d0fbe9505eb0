import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** The methods of a response that a handler may call after somebody else has answered in its place. */
const GUARDED = [
  'writeHead',
  'setHeader',
  'appendHeader',
  'setHeaders',
  'removeHeader',
  'getHeader',
  'getHeaders',
  'getHeaderNames',
  'hasHeader',
  'flushHeaders',
  'write',
  'end',
] as const;

type GuardedName = (typeof GUARDED)[number];
type Method = (this: ServerResponse, ...args: unknown[]) => unknown;
type Methods = Record<GuardedName, Method>;

/** What the handler believes its response to be, once it has been answered by somebody else. */
interface LateView {
  readonly headers: Map<string, { name: string; value: unknown }>;
  begun: boolean;
  ended: boolean;
  readonly onDropped: (status: number) => void;
}

interface Guard {
  readonly original: Methods;
  late: LateView | undefined;
  /** During the response's own last events, whose listeners must see what was sent. */
  showing: boolean;
}

/** A response that can be answered over its handler's head. */
export interface GuardedResponse {
  /**
   * Answers with the methods that the response had when it was guarded, unless an answer has begun (then `false`). From then
   * on the handler's own answer is dropped: nothing throws, nothing is written, `onDropped` is told once when it ends.
   */
  answer(status: number, headers: OutgoingHttpHeaders, body: string, onDropped: (status: number) => void): boolean;
}

const GUARD = Symbol('holdfast.late-answer');
type Held = ServerResponse & { [GUARD]?: Guard };

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

/**
 * Puts guards over `response`'s methods. They pass everything through until `answer` is called, and are never replaced
 * afterwards, so that a middleware mounted later may wrap them and still sees the handler's late answer.
 */
export function guardResponse(response: ServerResponse): GuardedResponse {
  const held = response as Held;
  const methods = response as unknown as Methods;
  const guard: Guard = {
    original: {
      writeHead: methods.writeHead,
      setHeader: methods.setHeader,
      appendHeader: methods.appendHeader,
      setHeaders: methods.setHeaders,
      removeHeader: methods.removeHeader,
      getHeader: methods.getHeader,
      getHeaders: methods.getHeaders,
      getHeaderNames: methods.getHeaderNames,
      hasHeader: methods.hasHeader,
      flushHeaders: methods.flushHeaders,
      write: methods.write,
      end: methods.end,
    },
    late: undefined,
    showing: false,
  };
  held[GUARD] = guard;
  methods.writeHead = guards.writeHead;
  methods.setHeader = guards.setHeader;
  methods.appendHeader = guards.appendHeader;
  if (guard.original.setHeaders !== undefined) methods.setHeaders = guards.setHeaders;
  methods.removeHeader = guards.removeHeader;
  methods.getHeader = guards.getHeader;
  methods.getHeaders = guards.getHeaders;
  methods.getHeaderNames = guards.getHeaderNames;
  methods.hasHeader = guards.hasHeader;
  methods.flushHeaders = guards.flushHeaders;
  methods.write = guards.write;
  methods.end = guards.end;

  return {
    answer(status, headers, body, onDropped) {
      if (response.headersSent || response.writableEnded || response.destroyed || guard.late) return false;
      const { original } = guard;
      const view: LateView = { headers: new Map(), begun: false, ended: false, onDropped };
      for (const [name, value] of Object.entries(original.getHeaders.call(response) as OutgoingHttpHeaders))
        view.headers.set(name, { name, value });
      const handlers = { statusCode: response.statusCode, statusMessage: response.statusMessage };
      for (const name of ENTITY_HEADERS) original.removeHeader.call(response, name);
      for (const [name, value] of Object.entries(headers)) original.setHeader.call(response, name, value);
      showDuringLastEvents(response, guard, { statusCode: status, statusMessage: '' }, handlers);
      original.writeHead.call(response, status);
      original.end.call(response, body);
      guard.late = view;
      Object.assign(response, handlers);
      pretendUnanswered(response, guard, view);
      return true;
    },
  };
}

type Shown = Pick<ServerResponse, 'statusCode' | 'statusMessage'>;

/**
 * An access log reads the response in 'finish' or 'close': it must see what was sent. Everybody else asks on behalf of the
 * late answer and must see the handler's own.
 */
function showDuringLastEvents(response: ServerResponse, guard: Guard, sent: Shown, handlers: Shown): void {
  for (const event of ['finish', 'close'] as const) {
    response.prependOnceListener(event, () => {
      guard.showing = true;
      Object.assign(handlers, { statusCode: response.statusCode, statusMessage: response.statusMessage });
      Object.assign(response, sent);
    });
    response.once(event, () => {
      guard.showing = false;
      Object.assign(response, handlers);
    });
  }
}

/**
 * The handler's own answer has not begun, as far as anybody but node can see: express would destroy the connection for an
 * error after headersSent, fastify and koa would drop the answer before middleware mounted inside has seen it.
 */
function pretendUnanswered(response: ServerResponse, guard: Guard, view: LateView): void {
  Object.defineProperties(response, {
    headersSent: { configurable: true, get: () => guard.showing || view.begun },
    writableEnded: { configurable: true, get: () => guard.showing || view.ended },
  });
}

/** What each method does after somebody else has answered. */
const late: Record<GuardedName, (response: ServerResponse, view: LateView, args: unknown[]) => unknown> = {
  writeHead(response, view, [status, second, third]) {
    view.begun = true;
    response.statusCode = status as number;
    const headers = (typeof second === 'string' ? third : second) as OutgoingHttpHeaders | unknown[] | undefined;
    const pairs = Array.isArray(headers) ? pairsOf(headers) : Object.entries(headers ?? {});
    for (const [name, value] of pairs) view.headers.set(name.toLowerCase(), { name, value });
    return response;
  },
  setHeader(response, view, [name, value]) {
    view.headers.set(String(name).toLowerCase(), { name: String(name), value });
    return response;
  },
  appendHeader(response, view, [name, value]) {
    const before = view.headers.get(String(name).toLowerCase())?.value;
    const values = before === undefined ? value : [before, value].flat();
    view.headers.set(String(name).toLowerCase(), { name: String(name), value: values });
    return response;
  },
  setHeaders(response, view, [headers]) {
    for (const [name, value] of headers as Iterable<[string, unknown]>)
      view.headers.set(name.toLowerCase(), { name, value });
    return response;
  },
  removeHeader(_response, view, [name]) {
    view.headers.delete(String(name).toLowerCase());
    return undefined;
  },
  getHeader: (_response, view, [name]) => view.headers.get(String(name).toLowerCase())?.value,
  getHeaders: (_response, view) =>
    Object.assign(
      Object.create(null) as object,
      Object.fromEntries([...view.headers].map(([name, header]) => [name, header.value])),
    ),
  getHeaderNames: (_response, view) => [...view.headers.keys()],
  hasHeader: (_response, view, [name]) => view.headers.has(String(name).toLowerCase()),
  flushHeaders(_response, view) {
    view.begun = true;
  },
  write(_response, view, args) {
    view.begun = true;
    callBack(args);
    return true;
  },
  end(response, view, args) {
    view.begun = true;
    callBack(args);
    if (!view.ended) {
      view.ended = true;
      view.onDropped(response.statusCode);
    }
    return response;
  },
};

const guards = Object.fromEntries(
  GUARDED.map((name): [GuardedName, Method] => [
    name,
    function guarded(this: ServerResponse, ...args: unknown[]) {
      const guard = (this as Held)[GUARD]!;
      if (guard.late === undefined || guard.showing) return guard.original[name].apply(this, args);
      return late[name](this, guard.late, args);
    },
  ]),
) as Methods;

function callBack(args: unknown[]): void {
  const callback = args.find((argument) => typeof argument === 'function') as (() => void) | undefined;
  if (callback) process.nextTick(callback);
}

function pairsOf(raw: unknown[]): [string, unknown][] {
  if (Array.isArray(raw[0])) return raw as [string, unknown][];
  const pairs: [string, unknown][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([String(raw[at]), raw[at + 1]]);
  return pairs;
}

/** The path of a request without its query, which may hold secrets. */
export function pathOf(request: IncomingMessage): string {
  const url = (request as { originalUrl?: string }).originalUrl ?? request.url ?? '';
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
