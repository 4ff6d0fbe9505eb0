import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.js';

/** A request that a fake provider received whole. */
export interface ReceivedRequest {
  /** Wall clock, epoch milliseconds, when its last byte had come. */
  at: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** How a fake provider treats one request. */
export interface Reply {
  /** @defaultValue the provider's own success */
  status?: number | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | undefined;
  /** Milliseconds between the request's last byte and the answer. */
  delayMs?: number | undefined;
  /** Resets the connection: `'before'` as if the request never came (it is not recorded), `'after-request'` with it recorded. */
  reset?: 'before' | 'after-request' | undefined;
  /** Never answers. */
  hang?: true | undefined;
}

/** One reply for all requests from now on; or one each for the next ones, then success again; or a decision per request, `n` counted from 1. */
export type ReplyScript = Reply | readonly Reply[] | ((request: ReceivedRequest, n: number) => Reply);

/** An HTTP provider on loopback that does as it is told and remembers what it got. */
export interface FakeProvider extends AsyncDisposable {
  /** What to configure as the provider's address. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly ReceivedRequest[];
  respond(script: ReplyScript): void;
  /** Resolves with all requests once there are at least `n`. */
  waitForRequests(n: number, timeoutMs?: number): Promise<readonly ReceivedRequest[]>;
  /** Closes it and every connection. */
  close(): Promise<void>;
}

/** A Slack incoming webhook: answers `200 ok`. `url` is the webhook's whole address. */
export function fakeSlack(): Promise<FakeProvider> {
  const success = { status: 200, headers: { 'content-type': 'text/html' }, body: 'ok' };
  return fakeProvider('/services/T000/B000/testtesttest', () => success);
}

/** SendGrid's mail API: answers `202` with an `x-message-id`. `url` is the base, to which `/v3/mail/send` is appended. */
export function fakeSendGrid(): Promise<FakeProvider> {
  return fakeProvider('', (n) => ({ status: 202, headers: { 'x-message-id': `fake-${n}` }, body: '' }));
}

/** Any other provider: `url` ends in `path`, `success` gives the answer to the n-th request. */
export async function fakeProvider(path: string, success: (n: number) => Reply): Promise<FakeProvider> {
  const requests: ReceivedRequest[] = [];
  let script: ReplyScript = [];
  let queue: Reply[] = [];
  let seen = 0;

  const server = createServer((request, response) => {
    receive(request)
      .then((body) => {
        const received: ReceivedRequest = {
          at: Date.now(),
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body,
        };
        const n = ++seen;
        const scripted =
          typeof script === 'function'
            ? script(received, n)
            : Array.isArray(script)
              ? queue.shift()
              : (script as Reply);
        if (scripted?.reset !== 'before') requests.push(received);
        return answer(response, { ...success(n), ...scripted });
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const provider: FakeProvider = {
    url: `http://127.0.0.1:${port}${path}`,
    port,
    requests,
    respond(next) {
      script = next;
      queue = Array.isArray(next) ? [...next] : [];
    },
    waitForRequests: (n, timeoutMs = 10_000) =>
      eventually(
        () => {
          if (requests.length >= n) return requests;
          throw new Error(`the provider got ${requests.length} requests, not ${n}, within ${timeoutMs} ms`);
        },
        { timeoutMs },
      ),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    [Symbol.asyncDispose]: () => provider.close(),
  };
  return provider;
}

async function receive(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function answer(response: ServerResponse, reply: Reply): Promise<void> {
  if (reply.delayMs) await new Promise((resolve) => setTimeout(resolve, reply.delayMs));
  if (reply.reset) response.socket?.resetAndDestroy();
  else if (!reply.hang) response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? '');
}
