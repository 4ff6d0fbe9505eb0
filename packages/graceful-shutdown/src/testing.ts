import type { IncomingMessage, ServerResponse } from 'node:http';
import { deadlineSignal, type RequestDeadlineOptions } from './node.js';

/** A server under test: one handler behind one deadline. */
export interface DeadlineServer {
  readonly url: string;
  close(): unknown;
}

/** Starts a server of the framework under test, with the deadline mounted in front of the handler. */
export type MakeDeadlineServer = (
  options: RequestDeadlineOptions,
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
) => Promise<DeadlineServer>;

/** One thing that `requestDeadline` does on every framework. Throws when it does not hold. */
export interface ConformanceCase {
  readonly name: string;
  run(make: MakeDeadlineServer): Promise<void>;
}

/** What every `requestDeadline` adapter must do, as data: no test runner is needed to run it. */
export const deadlineConformance: readonly ConformanceCase[] = [
  {
    name: 'answers a handler that takes too long with 503 and Retry-After, and drops its late answer',
    run: (make) =>
      withServer(
        make,
        { handlerMs: 100 },
        (request, response) => {
          deadlineSignal(request).addEventListener('abort', () => {
            response.setHeader('x-late', 'yes');
            response.end('late');
          });
        },
        async (url) => {
          const answer = await fetch(url);
          equal(answer.status, 503);
          equal(answer.headers.get('retry-after'), '1');
          equal(answer.headers.get('x-late'), null);
        },
      ),
  },
  {
    name: 'answers a client that never finishes its body, and is heard while it is sending',
    run: (make) =>
      withServer(
        make,
        { handlerMs: 5_000, bodyMs: 100 },
        (request) => void request.resume(),
        async (url) => {
          const body = new ReadableStream<Uint8Array>({
            async pull(controller) {
              await new Promise((resolve) => setImmediate(resolve));
              controller.enqueue(new Uint8Array(16_384));
            },
          });
          const answer = await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit);
          equal(answer.status, 408);
        },
      ),
  },
  {
    name: 'leaves an answer that has begun alone, and one that is in time',
    run: (make) =>
      withServer(
        make,
        { handlerMs: 100 },
        (request, response) => {
          response.write('begun, ');
          deadlineSignal(request).addEventListener('abort', () => response.end('ended'));
        },
        async (url) => {
          const answer = await fetch(url);
          equal(answer.status, 200);
          equal(await answer.text(), 'begun, ended');
        },
      ),
  },
];

async function withServer(
  make: MakeDeadlineServer,
  options: RequestDeadlineOptions,
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = await make(options, handler);
  try {
    await use(server.url);
  } finally {
    await server.close();
  }
}

function equal(received: unknown, expected: unknown): void {
  if (received !== expected) throw new Error(`expected ${String(expected)}, received ${String(received)}`);
}
