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
  const capture = new NodeCapture(response, maxBytes);
  (response as Captured)[CAPTURE] = capture;
  capture.intercept();
  response.on('unpipe', onUnpipe);
  return capture;
}

const CAPTURE = Symbol('holdfast.idempotency.capture');
type Captured = ServerResponse & { [CAPTURE]: NodeCapture };
type Method = (this: ServerResponse, ...given: unknown[]) => unknown;
type Methods = Record<(typeof NAMES)[number], Method>;

/** The same functions for every response: closures of their own would cost node's http its inline caches. */
const INTERCEPTED = {
  writeHead(this: Captured, status: number, ...rest: unknown[]): ServerResponse {
    return this[CAPTURE].writeHead(status, rest);
  },
  flushHeaders(this: Captured): void {
    this[CAPTURE].flushHeaders();
  },
  write(this: Captured, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    return this[CAPTURE].write(chunk, encoding, callback);
  },
  end(this: Captured, chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
    return this[CAPTURE].end(chunk, encoding, callback);
  },
  destroy(this: Captured, error?: Error): ServerResponse {
    return this[CAPTURE].destroy(error);
  },
} as unknown as Methods;
const NAMES = ['writeHead', 'flushHeaders', 'write', 'end', 'destroy'] as const;

/** What a response under a second capture is sent through. */
function methodsOf(outer: NodeCapture): Methods {
  return {
    writeHead: (status, ...rest) => outer.writeHead(status as number, rest),
    flushHeaders: () => outer.flushHeaders(),
    write: (chunk, encoding, callback) => outer.write(chunk, encoding, callback),
    end: (chunk, encoding, callback) => outer.end(chunk, encoding, callback),
    destroy: (error) => outer.destroy(error as Error | undefined),
  };
}

/** A stream that was piped here stops when the client goes away; nobody would ever end the answer. */
function onUnpipe(this: ServerResponse): void {
  if (this.destroyed) (this as Captured)[CAPTURE].breakOff();
}

class NodeCapture implements Capture {
  readonly answered: Promise<Answer>;
  readonly #response: ServerResponse;
  readonly #maxBytes: number;
  readonly #before: Methods;
  readonly #held: Buffer[] = [];
  #bytes = 0;
  #state: 'holding' | 'ended' | 'passing' | 'replaced' = 'holding';
  #ended = false;
  #kept: readonly Header[] = [];
  #status: number;
  #answer!: (answer: Answer) => void;

  constructor(response: ServerResponse, maxBytes: number) {
    this.#response = response;
    this.#maxBytes = maxBytes;
    this.#status = response.statusCode;
    const outer = (response as Partial<Captured>)[CAPTURE];
    const { writeHead, flushHeaders, write, end, destroy } = response as unknown as Methods;
    this.#before = outer ? methodsOf(outer) : { writeHead, flushHeaders, write, end, destroy };
    this.answered = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  intercept(): void {
    Object.assign(this.#response, INTERCEPTED);
  }

  /** Some responses call their own methods. What a middleware mounted later has wrapped stays as it is. */
  #restore(): void {
    const methods = this.#response as unknown as Methods;
    for (const name of NAMES) if (methods[name] === INTERCEPTED[name]) methods[name] = this.#before[name];
  }

  breakOff(): void {
    if (!this.#ended) this.#answer({ status: this.#response.statusCode, headers: [], body: undefined });
  }

  #passOn(): void {
    if (this.#state === 'passing') return;
    if (this.#state === 'holding') {
      this.#restore();
      this.#sendHeld();
    }
    if (this.#state !== 'replaced') this.#state = 'passing';
    this.breakOff();
  }

  #sendHeld(): void {
    for (const chunk of this.#held.splice(0)) this.#before.write.call(this.#response, chunk);
  }

  writeHead(code: number, rest: readonly unknown[]): ServerResponse {
    const response = this.#response;
    if (!response.headersSent) {
      applyHeaders(response, rest.at(-1));
      this.#status = code;
      this.#kept = replayedHeaders(Object.entries(response.getHeaders()));
    }
    if (this.#state === 'replaced') return Object.assign(response, { headersSent: true });
    if (typeof rest[0] === 'string') this.#before.writeHead.call(response, code, rest[0]);
    else this.#before.writeHead.call(response, code);
    return response;
  }

  flushHeaders(): void {
    if (isEventStream(this.#response.getHeader('content-type'))) this.#passOn();
    if (this.#state === 'passing') this.#before.flushHeaders.call(this.#response);
  }

  write(chunk: unknown, encoding: unknown, callback: unknown): boolean {
    const data = bytesOf(chunk, encoding);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done as () => void);
    if (this.#ended) return false;
    const over = this.#bytes + (data?.length ?? 0) > this.#maxBytes;
    if (over || isEventStream(this.#response.getHeader('content-type'))) this.#passOn();
    if (this.#state === 'passing') return data ? this.#before.write.call(this.#response, data) === true : true;
    if (data && !over) {
      this.#held.push(data);
      this.#bytes += data.length;
    }
    return true;
  }

  end(chunk: unknown, encoding: unknown, callback: unknown): ServerResponse {
    const response = this.#response;
    if (this.#ended) return response;
    const last = [chunk, encoding, callback].find((each) => typeof each === 'function');
    if (last) response.once('finish', last as () => void);
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') this.write(chunk, encoding, undefined);
    this.#ended = true;
    if (this.#state === 'passing') {
      this.#before.end.call(response);
    } else if (!response.headersSent) {
      const { statusCode } = response;
      if (hasBody(statusCode) && !LENGTH.some((name) => response.hasHeader(name)))
        response.setHeader('content-length', this.#bytes);
      response.writeHead(statusCode);
    }
    if (this.#state === 'holding') this.#state = 'ended';
    this.#answer({ status: this.#status, headers: this.#kept, body: whole(this.#held).toString('base64') });
    return response;
  }

  destroy(error: Error | undefined): ServerResponse {
    if (!this.#ended) this.#passOn();
    return this.#before.destroy.call(this.#response, error) as ServerResponse;
  }

  release(): void {
    if (this.#state === 'replaced' || this.#state === 'passing') return;
    this.#restore();
    if (this.#state === 'ended') this.#before.end.call(this.#response, whole(this.#held));
    else this.#sendHeld();
    this.#state = 'passing';
  }

  replace(reply: Reply): void {
    if (this.#state === 'passing' || this.#state === 'replaced') return;
    const response = this.#response;
    this.#state = 'replaced';
    // A head that was made can't be made again.
    if (response.headersSent) return void this.#before.destroy.call(response);
    const { statusCode } = response;
    this.#restore();
    for (const name of ENTITY) response.removeHeader(name);
    for (const [name, value] of reply.headers) response.setHeader(name, value as string);
    this.#before.writeHead.call(response, reply.status);
    this.#before.end.call(response, reply.body);
    Object.assign(response, { statusCode });
    this.intercept();
    shadowHead(response);
  }
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
