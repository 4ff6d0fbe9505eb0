// Over 300 lines: the matrix is one table of cases that every framework runs.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { eventually } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createIdempotency,
  type Idempotency,
  type IdempotencyOptions,
  memoryStore,
  type Store,
} from '../../src/index.js';
import { APPS, type AppOptions, type Handler, listen, type Received, type Ways } from '../fixtures/http-apps.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(framework: string, handler: Handler, options: AppOptions = {}, more: IdempotencyOptions = {}) {
  const idempotency: Idempotency = createIdempotency({ maxRunMs: 60_000, ...more });
  let runs = 0;
  const app = await APPS[framework]!(idempotency, options, (ways) => {
    runs++;
    return handler(ways);
  });
  const running = await listen(app);
  closing.push(async () => {
    await running.close();
    await idempotency.close();
  });
  return { ...running, idempotency, runs: () => runs };
}

function gate(): { open: () => void; passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), passed };
}

const binary = createHash('sha512').update('bytes').digest();
async function* parts(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) {
    await new Promise((resolve) => setImmediate(resolve));
    yield text;
  }
}

/** [answered by, status, bytes] */
const ANSWERS: Record<string, [(ways: Ways) => unknown, number, Buffer]> = {
  json: [(ways) => ways.json({ ok: [1, 'é'] }, 201), 201, Buffer.from('{"ok":[1,"é"]}')],
  send: [(ways) => ways.send('text é'), 200, Buffer.from('text é')],
  'a Buffer': [(ways) => ways.buffer(binary), 200, binary],
  end: [(ways) => ways.end(binary), 200, binary],
  write: [
    (ways) => ways.write(['a', Buffer.from([0xff, 0]), 'é']),
    200,
    Buffer.concat([Buffer.from('a'), Buffer.from([0xff, 0]), Buffer.from('é')]),
  ],
  'a pipe': [
    (ways) => ways.pipe(() => Readable.from([Buffer.from('x'), binary])),
    200,
    Buffer.concat([Buffer.from('x'), binary]),
  ],
  'an async stream': [(ways) => ways.stream(parts('one ', 'two ', 'three')), 200, Buffer.from('one two three')],
  'an empty body': [(ways) => ways.empty(), 200, Buffer.alloc(0)],
  '204': [(ways) => ways.noContent(), 204, Buffer.alloc(0)],
  'a 404': [(ways) => ways.json({ no: 1 }, 404), 404, Buffer.from('{"no":1}')],
};

const CONNECTION = ['connection', 'keep-alive', 'transfer-encoding', 'date'];
/** All but what belongs to the connection, the replay's own marks, and the length, which is compared through the bytes. */
function comparable({ headers }: Received): (readonly [string, string])[] {
  const own = [...CONNECTION, 'content-length', 'idempotent-replayed', 'age'];
  return headers.filter(([name]) => !own.includes(name)).sort();
}

describe.each(Object.keys(APPS))('idempotent, %s', (framework) => {
  it.each(Object.keys(ANSWERS))(
    'replays status, headers and exact bytes of an answer given by %s [P20]',
    async (way) => {
      const [answer, status, bytes] = ANSWERS[way]!;
      const { ask, runs } = await serve(framework, answer, { preset: 'webhook' });
      const first = await ask();
      const second = await ask();
      for (const each of [first, second]) {
        expect(each.status).toBe(status);
        expect(each.bytes.equals(bytes)).toBe(true);
      }
      expect(comparable(second)).toEqual(comparable(first));
      expect([first.header('idempotent-replayed'), second.header('idempotent-replayed')]).toEqual([undefined, 'true']);
      expect(runs()).toBe(1);
    },
  );

  it('repeats repeated headers; never Set-Cookie, nor those of the connection or of one request [P21]', async () => {
    const { ask } = await serve(framework, (ways) => {
      ways.header('link', ['<a>', '<b>']);
      ways.header('set-cookie', ['session=secret', 'other=1']);
      ways.header('traceparent', ['00-1-2-01']);
      ways.header('x-request-id', ['r1']);
      ways.header('x-kept', ['1']);
      return ways.json({});
    });
    const first = await ask();
    const values = (received: Received, name: string) =>
      received.headers.filter(([each]) => each === name).map(([, value]) => value);
    expect(values(first, 'set-cookie')).toEqual(['session=secret', 'other=1']);
    const second = await ask();
    expect(second.header('idempotent-replayed')).toBe('true');
    for (const name of ['set-cookie', 'traceparent', 'x-request-id']) expect(second.header(name)).toBeUndefined();
    expect(values(second, 'link').join(', ')).toBe('<a>, <b>');
    expect(values(second, 'link')).toEqual(values(first, 'link'));
    expect(second.header('x-kept')).toBe('1');
    expect(values(second, 'connection')).toEqual(values(first, 'connection'));
  });

  it('gives 20 concurrent duplicates the one answer [P22]', async () => {
    const { open, passed } = gate();
    const { ask, runs, idempotency } = await serve(framework, async (ways) => {
      await passed;
      return ways.json({ n: 1 });
    });
    const answers = Array.from({ length: 20 }, () => ask());
    await eventually(() => idempotency.stats().inFlight === 1);
    open();
    expect(new Set((await Promise.all(answers)).map(({ bytes }) => bytes.toString()))).toEqual(new Set(['{"n":1}']));
    expect(runs()).toBe(1);
  });

  it('passes HEAD and GET through, each time [P37]', async () => {
    const { ask, runs } = await serve(framework, (ways) => ways.json({ a: 1 }));
    for (const method of ['HEAD', 'GET', 'HEAD']) {
      const { status, bytes } = await ask({ method });
      expect([status, bytes.toString()]).toEqual([200, method === 'HEAD' ? '' : '{"a":1}']);
    }
    expect(runs()).toBe(3);
  });

  it('has stored the answer before its last byte is sent [P38]', async () => {
    const { open, passed } = gate();
    let settling = false;
    const { ask, runs } = await serve(
      framework,
      (ways) => ways.json({ a: 1 }),
      {},
      {
        store: slowSettle(memoryStore(), () => {
          settling = true;
          return passed;
        }),
      },
    );
    let answered = false;
    const first = ask().then((received) => {
      answered = true;
      return received;
    });
    await eventually(() => settling);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    open();
    expect((await first).status).toBe(200);
    expect((await ask()).header('idempotent-replayed')).toBe('true');
    expect(runs()).toBe(1);
  });

  it('finishes for a client that went away, and its retry gets the answer [P24]', async () => {
    const { open, passed } = gate();
    const { ask, port, runs, idempotency } = await serve(framework, async (ways) => {
      await passed;
      return ways.json({ done: true });
    });
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'POST /work HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    );
    await eventually(() => runs() === 1);
    socket.destroy();
    await once(socket, 'close');
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();
    await eventually(() => idempotency.stats().inFlight === 0);
    const again = await ask();
    expect([again.bytes.toString(), again.header('idempotent-replayed'), runs()]).toEqual(['{"done":true}', 'true', 1]);
  });

  it('frees the key when the client goes away while a stream is piped, or the stream is kept whole [P39]', async () => {
    const { open, passed } = gate();
    const { ask, port, runs, idempotency } = await serve(framework, (ways) =>
      ways.pipe(() =>
        Readable.from(
          (async function* () {
            yield Buffer.from('first ');
            if (runs() === 1) await passed;
            yield Buffer.from('second');
          })(),
        ),
      ),
    );
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'POST /work HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    );
    await eventually(() => runs() === 1);
    socket.destroy();
    await once(socket, 'close');
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();
    await eventually(() => idempotency.stats().inFlight === 0);
    expect((await ask()).bytes.toString()).toBe('first second');
    expect(runs()).toBeLessThanOrEqual(2);
  });

  it('runs again after 5xx, 429 and a throw; replays none of them [P23]', async () => {
    const answers: Handler[] = [
      (ways) => ways.json({}, 503),
      (ways) => ways.json({}, 429),
      () => {
        throw new Error('boom');
      },
      (ways) => ways.json({ ok: true }),
    ];
    const { ask, runs } = await serve(framework, (ways) => answers[runs() - 1]!(ways));
    const statuses: number[] = [];
    for (let at = 0; at < 4; at++) statuses.push((await ask()).status);
    expect(statuses).toEqual([503, 429, 500, 200]);
    expect((await ask()).header('idempotent-replayed')).toBe('true');
    expect(runs()).toBe(4);
  });

  it('passes an answer over the limit through and does not store it [P25]', async () => {
    const big = 'x'.repeat(5_000);
    for (const answer of [(ways: Ways) => ways.write([big, big]), (ways: Ways) => ways.send(big + big)]) {
      const { ask, runs, idempotency } = await serve(framework, answer, { maxAnswerBytes: 8_000 });
      for (let at = 0; at < 2; at++) expect((await ask()).bytes.toString()).toBe(big + big);
      expect(runs()).toBe(2);
      expect(idempotency.stats().bytes).toBeLessThan(1_000);
    }
  });

  it('passes an event stream on as it comes, and does not store it [P25]', async () => {
    const { open, passed } = gate();
    async function* events(): AsyncGenerator<string> {
      yield 'data: 1\n\n';
      await passed;
      yield 'data: 2\n\n';
    }
    const { port, ask, runs } = await serve(framework, (ways) => ways.stream(events(), 'text/event-stream'));
    const request = httpRequest({
      port,
      path: '/work',
      method: 'POST',
      headers: { 'idempotency-key': 'k', 'content-type': 'application/json' },
    });
    request.end('{}');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const [chunk] = await once(response, 'data');
    expect(String(chunk)).toBe('data: 1\n\n');
    open();
    await once(response, 'end');
    expect((await ask()).bytes.toString()).toBe('data: 1\n\ndata: 2\n\n');
    expect(runs()).toBe(2);
  });

  it('ietf: 400 for a missing, doubled or malformed key, 409 in flight, 422 for another body; key and expiry told [P26]', async () => {
    const { open, passed } = gate();
    const { ask, runs } = await serve(
      framework,
      async (ways) => {
        await passed;
        return ways.json({});
      },
      { waitMs: false },
    );
    for (const key of ['', ['a', 'b'], 'a b', '""', '"a', 'x'.repeat(256)]) {
      const { status, header, bytes } = await ask({ key });
      expect([status, header('content-type')]).toEqual([400, 'application/problem+json']);
      expect(JSON.parse(bytes.toString())).toMatchObject({ status: 400, title: expect.any(String) });
    }
    expect(runs()).toBe(0);
    const first = ask({ body: { a: 1, b: 2 } });
    await eventually(() => runs() === 1);
    const busy = await ask({ body: { b: 2, a: 1 } });
    expect([busy.status, Number(busy.header('retry-after')) >= 1]).toEqual([409, true]);
    open();
    for (const { header, status } of [await first, await ask({ key: '"k"', body: { a: 1, b: 2 } })]) {
      expect([status, header('idempotency-key')]).toEqual([200, '"k"']);
      const left = Number(header('idempotency-expires')!.slice(1)) - Date.now() / 1_000;
      expect(Math.abs(left - 86_400)).toBeLessThan(120);
    }
    expect((await ask({ body: { a: 2 } })).status).toBe(422);
    // A refusal never replaces what is stored.
    expect((await ask({ body: { a: 1, b: 2 } })).header('idempotent-replayed')).toBe('true');
    expect(runs()).toBe(1);
  });

  it('answers 503 while the store is away, or runs without protection, by option [P40]', async () => {
    const away: Store = {
      name: 'away',
      open: () => {
        throw new Error('no route to the store');
      },
    };
    const shut = await serve(framework, (ways) => ways.json({}), {}, { store: away });
    const refused = await shut.ask();
    expect([refused.status, refused.header('content-type'), refused.header('retry-after'), shut.runs()]).toEqual([
      503,
      'application/problem+json',
      '1',
      0,
    ]);
    const open = await serve(framework, (ways) => ways.json({}), {}, { store: away, onStoreError: 'run' });
    expect([(await open.ask()).status, (await open.ask()).status, open.runs()]).toEqual([200, 200, 2]);
  });

  it('answers 503 to the caller whose key was lost; what its handler gives late is kept for the retry [P41]', async () => {
    const { open, passed } = gate();
    const { ask, runs, idempotency } = await serve(
      framework,
      async (ways) => {
        await passed;
        return ways.json({ late: true }, 201);
      },
      {},
      { leaseMs: 300, maxRunMs: 300 },
    );
    const first = await ask();
    expect([first.status, first.header('content-type'), first.header('retry-after')]).toEqual([
      503,
      'application/problem+json',
      '1',
    ]);
    open();
    await eventually(() => idempotency.stats().inFlight === 0);
    const retry = await ask();
    expect([retry.status, retry.bytes.toString()]).toEqual([201, '{"late":true}']);
    expect(idempotency.stats().lost).toBe(1);
    // hono drops what comes after an answer, so there the retry runs again.
    expect(runs()).toBe(framework === 'hono 4' ? 2 : 1);
  });
});

/** A store whose settle waits. */
function slowSettle(store: Store, wait: () => Promise<void>): Store {
  return {
    name: store.name,
    async open(context) {
      const opened = await store.open(context);
      return new Proxy(opened, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown;
          if (typeof member !== 'function') return member;
          if (name !== 'settle') return member.bind(target);
          return async (...given: unknown[]) => {
            await wait();
            return (member as (...all: unknown[]) => unknown).apply(target, given);
          };
        },
      });
    },
  };
}
