import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type Answer, replayedHeaders } from './answer.js';

type Callback = (error?: Error | null) => void;

/** A response whose answer is held back until it has been stored. */
export interface Capture {
  /** Resolves when the handler has ended its answer, or when that can't be kept (too large, an event stream). */
  readonly answered: Promise<Answer>;
  /** Whether the handler has ended it. */
  readonly ended: boolean;
  /** Sends what was held back. */
  release(): void;
}

/**
 * Holds back what a handler writes, up to `maxBytes`. Past them, or when it is an event stream, everything held is sent, the
 * rest passes through, and the answer counts as one that can't be kept.
 */
export function captureAnswer(response: ServerResponse, maxBytes: number): Capture {
  const send = {
    writeHead: response.writeHead.bind(response),
    write: response.write.bind(response),
    end: response.end.bind(response),
    flushHeaders: response.flushHeaders.bind(response),
  } as {
    writeHead(status: number): unknown;
    write(chunk: Uint8Array): boolean;
    end(chunk?: Uint8Array): unknown;
    flushHeaders(): void;
  };
  const held: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  let passing = false;
  let answer!: (answer: Answer) => void;
  const answered = new Promise<Answer>((resolve) => {
    answer = resolve;
  });

  const take = (chunk: unknown, encoding: unknown): Buffer | undefined => {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return undefined;
    if (typeof chunk === 'string')
      return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    return Buffer.from(chunk as Uint8Array);
  };
  /** node's own `write` and `end` send the head through `response.writeHead`, which must be the real one by then. */
  const open = (): void => {
    passing = true;
    Object.assign(response, { writeHead: send.writeHead, flushHeaders: send.flushHeaders });
  };
  const passOn = (): void => {
    if (passing) return;
    open();
    answer({ status: response.statusCode, headers: [], body: undefined });
    for (const chunk of held.splice(0)) send.write(chunk);
  };
  const isStream = (): boolean => /^text\/event-stream/i.test(String(response.getHeader('content-type') ?? ''));
  const done = (callback: unknown): void => {
    if (typeof callback === 'function') process.nextTick(callback as Callback);
  };

  const replaced = {
    writeHead(status: number, ...rest: unknown[]): ServerResponse {
      response.statusCode = status;
      if (typeof rest[0] === 'string') response.statusMessage = rest[0];
      applyHeaders(response, rest.at(-1));
      return response;
    },
    flushHeaders(): void {
      if (isStream()) {
        passOn();
        send.flushHeaders();
      }
    },
    write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
      if (ended) return false;
      const data = take(chunk, encoding);
      if (!passing && (bytes + (data?.length ?? 0) > maxBytes || isStream())) passOn();
      if (passing) {
        const goesOn = data ? send.write(data) : true;
        done(typeof encoding === 'function' ? encoding : callback);
        return goesOn;
      }
      if (data) {
        held.push(data);
        bytes += data.length;
      }
      done(typeof encoding === 'function' ? encoding : callback);
      return true;
    },
    end(chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
      if (ended) return response;
      const data = take(chunk, encoding);
      if (data) replaced.write(data);
      ended = true;
      const last = [chunk, encoding, callback].find((each) => typeof each === 'function');
      if (last) response.once('finish', last as () => void);
      if (passing) send.end();
      else answer(toAnswer(response, Buffer.concat(held)));
      return response;
    },
  };
  Object.assign(response, replaced);

  return {
    answered,
    get ended() {
      return ended;
    },
    release() {
      if (passing) return;
      open();
      if (ended) send.end(Buffer.concat(held));
      else for (const chunk of held.splice(0)) send.write(chunk);
    },
  };
}

function toAnswer(response: ServerResponse, body: Buffer): Answer {
  const headers = replayedHeaders(response.getHeaders());
  return { status: response.statusCode, headers, body: body.toString('base64') };
}

function applyHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    for (let at = 0; at + 1 < headers.length; at += 2) response.appendHeader(String(headers[at]), headers[at + 1]);
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders))
      if (value !== undefined) response.setHeader(name, value);
  }
}
