import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import { eventually } from '@holdfast/testkit';
import express, { type RequestHandler } from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpOptions, idempotent } from '../../src/express.js';
import { createIdempotency, type Idempotency } from '../../src/index.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(
  handler: RequestHandler,
  options: HttpOptions<express.Request> = {},
  before: RequestHandler[] = [],
) {
  const idempotency: Idempotency = createIdempotency();
  let runs = 0;
  const app = express();
  app.all('/work', ...before, express.json(), idempotent(idempotency, options), (request, response, next) => {
    runs++;
    return handler(request, response, next);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await idempotency.close();
  });
  const { port } = server.address() as AddressInfo;
  const post = async (
    body: unknown = {},
    headers: Record<string, string> = { 'idempotency-key': 'k' },
    method = 'POST',
  ) => {
    const response = await fetch(`http://127.0.0.1:${port}/work`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, text: bytes.toString(), bytes };
  };
  return { post, port, idempotency, runs: () => runs };
}

const binary = createHash('sha512').update('bytes').digest();

describe('idempotent, express', () => {
  const ways: [string, RequestHandler, number, Buffer][] = [
    ['json', (_q, r) => void r.status(201).json({ ok: true }), 201, Buffer.from('{"ok":true}')],
    ['send', (_q, r) => void r.send('text'), 200, Buffer.from('text')],
    ['a Buffer', (_q, r) => void r.type('bin').send(binary), 200, binary],
    ['end', (_q, r) => void r.end(binary), 200, binary],
    [
      'write and end',
      (_q, r) => {
        r.write('a');
        r.write(Buffer.from('b'));
        r.end('c');
      },
      200,
      Buffer.from('abc'),
    ],
    ['writeHead', (_q, r) => void r.writeHead(202, { 'x-a': '1' }).end('later'), 202, Buffer.from('later')],
    [
      'a pipe',
      (_q, r) => void Readable.from([Buffer.from('x'), binary]).pipe(r),
      200,
      Buffer.concat([Buffer.from('x'), binary]),
    ],
    ['nothing, 204', (_q, r) => void r.status(204).end(), 204, Buffer.alloc(0)],
    ['a 404', (_q, r) => void r.status(404).json({ no: 1 }), 404, Buffer.from('{"no":1}')],
  ];
  for (const [name, handler, status, bytes] of ways)
    it(`replays the exact bytes of an answer given by ${name} [P20]`, async () => {
      const { post, runs } = await serve(handler);
      const first = await post();
      const second = await post();
      for (const answer of [first, second]) {
        expect(answer.status).toBe(status);
        expect(answer.bytes.equals(bytes)).toBe(true);
      }
      expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      expect(second.headers.get('idempotent-replayed')).toBe('true');
      expect(runs()).toBe(1);
    });

  it('repeats repeated headers, and never Set-Cookie [P21]', async () => {
    const { post } = await serve((_q, r) => {
      r.append('link', '<a>').append('link', '<b>').cookie('session', 'secret').json({});
    });
    expect((await post()).headers.get('set-cookie')).toContain('secret');
    const second = await post();
    expect(second.headers.get('set-cookie')).toBeNull();
    expect(second.headers.get('link')).toBe('<a>, <b>');
  });

  it('gives 20 concurrent duplicates the one answer [P22]', async () => {
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const { post, runs, idempotency } = await serve(async (_q, r) => {
      await gate;
      r.json({ n: runs() });
    });
    const answers = Array.from({ length: 20 }, () => post());
    await eventually(() => idempotency.stats().inFlight === 1);
    end();
    expect(new Set((await Promise.all(answers)).map(({ text }) => text))).toEqual(new Set(['{"n":1}']));
    expect(runs()).toBe(1);
  });

  it('runs again after 5xx, 429 and a throw; replays none of them [P23]', async () => {
    const outcomes: RequestHandler[] = [
      (_q, r) => void r.status(500).json({}),
      (_q, r) => void r.status(429).json({}),
      () => {
        throw new Error('boom');
      },
      (_q, r) => void r.json({ ok: true }),
    ];
    const { post, runs } = await serve((q, r, n) => outcomes[runs() - 1]!(q, r, n));
    expect([(await post()).status, (await post()).status, (await post()).status]).toEqual([500, 429, 500]);
    expect((await post()).text).toBe('{"ok":true}');
    expect((await post()).headers.get('idempotent-replayed')).toBe('true');
    expect(runs()).toBe(4);
  });

  it('finishes and stores the answer of a client that went away [P24]', async () => {
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const { post, port, runs, idempotency } = await serve(async (_q, r) => {
      await gate;
      r.json({ done: true });
    });
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'POST /work HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    );
    await eventually(() => runs() === 1);
    socket.destroy();
    await once(socket, 'close');
    end();
    await eventually(() => idempotency.stats().inFlight === 0);
    const again = await post();
    expect([again.text, again.headers.get('idempotent-replayed'), runs()]).toEqual(['{"done":true}', 'true', 1]);
  });

  it('passes an answer over the limit and an event stream through, and stores neither [P25]', async () => {
    const big = 'x'.repeat(5_000);
    const { post, runs } = await serve(
      (_q, r) => {
        r.write(big);
        r.end(big);
      },
      { maxAnswerBytes: 8_000 },
    );
    for (let at = 0; at < 2; at++) expect((await post()).text).toBe(big + big);
    expect(runs()).toBe(2);
    const sse = await serve((_q, r) => {
      r.type('text/event-stream');
      r.write('data: 1\n\n');
      r.end();
    });
    for (let at = 0; at < 2; at++) expect((await sse.post()).text).toBe('data: 1\n\n');
    expect(sse.runs()).toBe(2);
  });

  it('answers 400 without a key, 422 for another body, 409 for a duplicate in flight, as problem+json [P26]', async () => {
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const { post, runs } = await serve(
      async (_q, r) => {
        await gate;
        r.json({});
      },
      { waitMs: false },
    );
    const missing = await post({}, {});
    expect([missing.status, missing.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    const first = post({ a: 1 });
    await eventually(() => runs() === 1);
    const busy = await post({ a: 1 });
    expect([busy.status, Number(busy.headers.get('retry-after')) >= 1]).toEqual([409, true]);
    end();
    await first;
    expect((await post({ a: 2 })).status).toBe(422);
    expect(runs()).toBe(1);
  });

  it("webhook: absorbs Alertmanager's retry, ignores its constant header once, tells a busy duplicate 503 [P27]", async () => {
    const events: string[] = [];
    const body = JSON.parse(
      readFileSync(new URL('../fixtures/alertmanager/firing-group-3.json', import.meta.url), 'utf8'),
    );
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const { post, runs } = await serve(
      async (_q, r) => {
        await gate;
        r.json({ status: 'ok' });
      },
      { preset: 'webhook', waitMs: false, onEvent: ({ type }) => events.push(type) },
    );
    const constant = { 'idempotency-key': 'constant' };
    const first = post(body, constant);
    await eventually(() => runs() === 1);
    expect((await post(body, constant)).status).toBe(503);
    end();
    expect((await first).text).toBe('{"status":"ok"}');
    expect((await post(body, constant)).text).toBe('{"status":"ok"}');
    expect((await post({ ...body, groupKey: '{}:{other}' }, constant)).status).toBe(200);
    expect(runs()).toBe(2);
    expect(events).toEqual(['http.key_ignored']);
    for (let at = 0; at < 2; at++) expect((await post({ test: 1 }, {})).status).toBe(200);
    expect(runs()).toBe(4);
  });

  it('stores the late answer of a handler that overran the deadline outside, for the retry [P28]', async () => {
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const { post, runs, idempotency } = await serve(
      async (_q, r) => {
        await gate;
        r.json({ late: true });
      },
      {},
      [requestDeadline({ handlerMs: 100 })],
    );
    expect((await post()).status).toBe(503);
    end();
    await eventually(() => idempotency.stats().inFlight === 0);
    const retry = await post();
    expect([retry.status, retry.text, runs()]).toEqual([200, '{"late":true}', 1]);
  });
});
