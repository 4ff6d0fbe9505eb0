import type { RequestDeadlineOptions } from './node.js';

/** What a handler under test is given, whatever the framework. */
export interface DeadlineExchange {
  /** The path asked for, with its query. */
  readonly path: string;
  /** The framework's `deadlineSignal` of this request. */
  readonly signal: AbortSignal;
  /** Reads the whole body and returns its size in bytes. */
  read(): Promise<number>;
}

/** What a handler under test answers; a body in parts begins the answer with the first of them. */
export interface DeadlineReply {
  readonly status?: number | undefined;
  readonly headers?: Record<string, string> | undefined;
  readonly body: string | AsyncIterable<string>;
}

/** A handler under test. */
export type DeadlineHandler = (exchange: DeadlineExchange) => Promise<DeadlineReply>;

/** A server under test: one handler behind one deadline. */
export interface DeadlineServer {
  readonly url: string;
  close(): unknown;
}

/** Starts a server of the framework under test, with the deadline mounted in front of the handler. */
export type MakeDeadlineServer = (options: RequestDeadlineOptions, handler: DeadlineHandler) => Promise<DeadlineServer>;

/** One thing that `requestDeadline` does on every framework. Throws when it does not hold. */
export interface ConformanceCase {
  readonly name: string;
  run(make: MakeDeadlineServer): Promise<void>;
}

/** What every `requestDeadline` adapter must do, as data: no test runner is needed to run it. */
export const deadlineConformance: readonly ConformanceCase[] = [
  {
    name: 'answers a handler that takes too long with 503 and Retry-After, aborts its signal, drops and tells its late answer',
    async run(make) {
      const events: { type: string; status?: number; path?: string }[] = [];
      const reasons: unknown[] = [];
      const options: RequestDeadlineOptions = { handlerMs: 100, onEvent: (event) => void events.push(event) };
      const late: DeadlineHandler = async ({ signal }) => {
        await aborted(signal);
        reasons.push((signal.reason as { code?: unknown }).code);
        return { status: 201, headers: { 'x-late': 'yes' }, body: 'late' };
      };
      await withServer(make, options, late, async (url) => {
        const answer = await fetch(`${url}a?token=secret`);
        equal(answer.status, 503);
        equal(answer.headers.get('retry-after'), '1');
        equal(answer.headers.get('x-late'), null);
        equal((await answer.text()).includes('REQUEST_TIMEOUT'), true);
        await until(() => events.length === 2);
        equal(reasons[0], 'LIFECYCLE_DEADLINE_EXCEEDED');
        const exceeded = events.find(({ type }) => type === 'deadline.exceeded');
        equal(exceeded?.status, 503);
        equal(exceeded?.path, '/a');
        equal(events.find(({ type }) => type === 'deadline.answer_dropped')?.status, 201);
      });
    },
  },
  {
    name: 'answers a client that never finishes its body, and is heard while it is sending',
    run: (make) =>
      withServer(make, { handlerMs: 5_000, bodyMs: 100 }, readThenAnswer, async (url) => {
        const body = new ReadableStream<Uint8Array>({
          async pull(controller) {
            await new Promise((resolve) => setImmediate(resolve));
            controller.enqueue(new Uint8Array(16_384));
          },
        });
        const answer = await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit);
        equal(answer.status, 408);
      }),
  },
  {
    name: 'leaves an answer alone that is in time',
    run: (make) =>
      withServer(make, { handlerMs: 5_000, bodyMs: 5_000 }, readThenAnswer, async (url) => {
        const answer = await fetch(url, { method: 'POST', body: 'x'.repeat(70_000) });
        equal(answer.status, 200);
        equal(await answer.text(), '70000');
      }),
  },
  {
    name: 'leaves an answer alone that has begun: only the signal aborts',
    run(make) {
      const begins: DeadlineHandler = async ({ signal }) => ({
        body: (async function* parts() {
          yield 'begun, ';
          await aborted(signal);
          yield 'ended';
        })(),
      });
      return withServer(make, { handlerMs: 100 }, begins, async (url) => {
        const answer = await fetch(url);
        equal(answer.status, 200);
        equal(await answer.text(), 'begun, ended');
      });
    },
  },
  {
    name: 'leaves the connection in order when the handler fails after its time',
    run(make) {
      const fails: DeadlineHandler = async ({ path, signal }) => {
        if (path !== '/slow') return { body: 'ok' };
        await aborted(signal);
        throw signal.reason;
      };
      return withServer(make, { handlerMs: 100 }, fails, async (url) => {
        const slow = await fetch(`${url}slow`);
        equal(slow.status, 503);
        await slow.text();
        equal(await (await fetch(`${url}quick`)).text(), 'ok');
      });
    },
  },
];

const readThenAnswer: DeadlineHandler = async ({ read }) => ({ body: String(await read()) });

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Waits for what follows at once, for at most 5 s. */
async function until(holds: () => boolean): Promise<void> {
  for (let look = 0; look < 500 && !holds(); look++) await new Promise((resolve) => setTimeout(resolve, 10));
  equal(holds(), true);
}

async function withServer(
  make: MakeDeadlineServer,
  options: RequestDeadlineOptions,
  handler: DeadlineHandler,
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
