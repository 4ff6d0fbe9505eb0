import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type Answer, type Header, hasBody, isEventStream, replayedHeaders } from './answer.js';
import type { Reply } from './reply.js';
import { shadowHead } from './shadow-head.js';

/** A response whose answer is held back until it has been stored. */
export interface Capture {
  /** Resolves when the handler has ended its answer, or when that can't be kept (too large, an event stream, broken off). */
  readonly answered: Promise<Answer>;
  /** Sends what was held back; what comes later passes through. */
  release(): void;
  /** Sends this instead, if nothing was sent yet. What the handler writes is still taken for `answered`, and never sent. */
  replace(reply: Reply): void;
}

/**
 * Holds back what a handler writes, up to `maxBytes`. Past them, or when it is an event stream, everything held is sent, the
 * rest passes through, and the answer counts as one that can't be kept. The head is made when node would make it, so
 * `headersSent` and the refusal of late headers are as without a capture; its bytes leave with the first of the body.
 */
export function captureAnswer(response: ServerResponse, maxBytes: number): Capture {
  const { writeHead, write, end, flushHeaders, destroy } = response;
  const before = { writeHead, write, end, flushHeaders, destroy };
  const send = {
    write: (chunk: Uint8Array): boolean => (write as (chunk: Uint8Array) => boolean).call(response, chunk),
    end: (chunk?: Uint8Array): unknown => (end as (chunk?: Uint8Array) => unknown).call(response, chunk),
  };
  const held: Buffer[] = [];
  let bytes = 0;
  let state: 'holding' | 'ended' | 'passing' | 'replaced' = 'holding';
  let ended = false;
  let kept: readonly Header[] = [];
  let status = response.statusCode;
  let answer!: (answer: Answer) => void;
  const answered = new Promise<Answer>((resolve) => {
    answer = resolve;
  });

  const notKept = (): void => answer({ status: response.statusCode, headers: [], body: undefined });
  const passOn = (): void => {
    if (state === 'passing') return;
    if (state === 'holding') {
      restore();
      for (const chunk of held.splice(0)) send.write(chunk);
    }
    if (state !== 'replaced') state = 'passing';
    notKept();
  };
  /** Some responses call their own methods. What a middleware mounted later has wrapped stays as it is. */
  const restore = (): void => {
    for (const [name, own] of Object.entries(replaced))
      if (Reflect.get(response, name) === own) Reflect.set(response, name, Reflect.get(before, name));
  };
  const later = (...last: unknown[]): void => {
    const callback = last.find((each) => typeof each === 'function');
    if (callback) process.nextTick(callback as () => void);
  };

  const replaced = {
    writeHead(code: number, ...rest: unknown[]): ServerResponse {
      const message = typeof rest[0] === 'string' ? rest[0] : undefined;
      if (!response.headersSent) {
        applyHeaders(response, rest.at(-1));
        status = code;
        kept = replayedHeaders(Object.entries(response.getHeaders()));
      }
      if (state === 'replaced') return Object.assign(response, { headersSent: true });
      if (message === undefined) writeHead.call(response, code);
      else (writeHead as (status: number, message: string) => unknown).call(response, code, message);
      return response;
    },
    flushHeaders(): void {
      if (isEventStream(response.getHeader('content-type'))) passOn();
      if (state === 'passing') flushHeaders.call(response);
    },
    write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
      const data = bytesOf(chunk, encoding);
      later(encoding, callback);
      if (ended) return false;
      const over = bytes + (data?.length ?? 0) > maxBytes;
      if (over || isEventStream(response.getHeader('content-type'))) passOn();
      if (state === 'passing') return data ? send.write(data) : true;
      if (data && !over) {
        held.push(data);
        bytes += data.length;
      }
      return true;
    },
    end(chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
      if (ended) return response;
      const last = [chunk, encoding, callback].find((each) => typeof each === 'function');
      if (last) response.once('finish', last as () => void);
      if (chunk !== undefined && chunk !== null && typeof chunk !== 'function')
        response.write(chunk as string, encoding as 'utf8');
      ended = true;
      if (state === 'passing') {
        send.end();
      } else if (!response.headersSent) {
        const { statusCode } = response;
        if (hasBody(statusCode) && !LENGTH.some((name) => response.hasHeader(name)))
          response.setHeader('content-length', bytes);
        response.writeHead(statusCode);
      }
      if (state === 'holding') state = 'ended';
      answer({ status, headers: kept, body: whole(held).toString('base64') });
      return response;
    },
    destroy(error?: Error): ServerResponse {
      if (!ended) passOn();
      return destroy.call(response, error) as ServerResponse;
    },
  };
  Object.assign(response, replaced);
  // A stream that was piped here stops when the client goes away; nobody would ever end the answer.
  response.on('unpipe', () => {
    if (response.destroyed && !ended) notKept();
  });

  return {
    answered,
    release() {
      if (state === 'replaced' || state === 'passing') return;
      restore();
      if (state === 'ended') send.end(whole(held));
      else for (const chunk of held.splice(0)) send.write(chunk);
      state = 'passing';
    },
    replace(reply) {
      if (state === 'passing' || state === 'replaced') return;
      state = 'replaced';
      // A head that was made can't be made again.
      if (response.headersSent) return void destroy.call(response);
      const { statusCode } = response;
      restore();
      for (const name of ENTITY) response.removeHeader(name);
      for (const [name, value] of reply.headers) response.setHeader(name, value as string);
      writeHead.call(response, reply.status);
      send.end(reply.body);
      Object.assign(response, replaced, { statusCode });
      shadowHead(response);
    },
  };
}

function whole(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** With one of these the length is not ours to say. */
const LENGTH = ['content-length', 'transfer-encoding', 'trailer'];
/** What the handler said of its own body. */
const ENTITY = [...LENGTH, 'content-type', 'content-encoding', 'etag', 'last-modified', 'cache-control', 'location'];

function bytesOf(chunk: unknown, encoding: unknown): Buffer | undefined {
  if (chunk === undefined || chunk === null || typeof chunk === 'function') return undefined;
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  return Buffer.from(chunk as Uint8Array);
}

function applyHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    const pairs: [string, string][] = Array.isArray(headers[0]) ? headers : [];
    if (pairs.length === 0)
      for (let at = 0; at + 1 < headers.length; at += 2) pairs.push([String(headers[at]), headers[at + 1]]);
    for (const [name] of pairs) response.removeHeader(name);
    for (const [name, value] of pairs) response.appendHeader(name, value);
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders))
      if (value !== undefined) response.setHeader(name, value);
  }
}
