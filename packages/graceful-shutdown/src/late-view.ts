import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** The methods of a response that a handler may call after somebody else has answered in its place. */
export const GUARDED = [
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

export type GuardedName = (typeof GUARDED)[number];
export type Method = (this: ServerResponse, ...args: unknown[]) => unknown;
export type Methods = Record<GuardedName, Method>;

/** What the handler believes its response to be, once it has been answered by somebody else. */
export interface LateView {
  readonly headers: Map<string, { name: string; value: unknown }>;
  readonly onDropped: (status: number) => void;
  begun: boolean;
  ended: boolean;
  /** During the response's own last events, whose listeners must see what was sent. */
  showing: boolean;
}

/** What each method does after somebody else has answered. */
export const late: Record<GuardedName, (response: ServerResponse, view: LateView, args: unknown[]) => unknown> = {
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
