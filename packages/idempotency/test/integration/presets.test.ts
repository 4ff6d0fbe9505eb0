import { readFileSync } from 'node:fs';
import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import { eventually } from '@holdfast/testkit';
import express, { type RequestHandler } from 'express';
import fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { webhookKey } from '../../src/alertmanager.js';
import { type HttpOptions, idempotent } from '../../src/express.js';
import { idempotent as onFastify } from '../../src/fastify.js';
import { createIdempotency, type Idempotency } from '../../src/index.js';
import { listen } from '../fixtures/http-apps.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(
  handler: RequestHandler,
  options: HttpOptions<express.Request> = {},
  { before = [], after = [] }: { before?: RequestHandler[]; after?: RequestHandler[] } = {},
) {
  const idempotency: Idempotency = createIdempotency();
  let runs = 0;
  const app = express();
  app.all('/work', ...before, idempotent(idempotency, options), ...after, (request, response, next) => {
    runs++;
    return handler(request, response, next);
  });
  const running = await listen(app);
  closing.push(async () => {
    await running.close();
    await idempotency.close();
  });
  return { ...running, idempotency, runs: () => runs };
}

const json = express.json({ limit: '16mb' });
const captured = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../fixtures/alertmanager/${name}.json`, import.meta.url), 'utf8'));

function gate(): { open: () => void; passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), passed };
}

describe('presets', () => {
  it("webhook: absorbs Alertmanager's retry, ignores its constant header once, tells a busy duplicate 503 [P27]", async () => {
    const events: string[] = [];
    const body = captured('firing-group-3');
    const { open, passed } = gate();
    const { ask, runs } = await serve(
      async (_q, r) => {
        await passed;
        r.json({ status: 'ok' });
      },
      { preset: 'webhook', waitMs: false, onEvent: ({ type }) => events.push(type) },
      { before: [json] },
    );
    const first = ask({ body, key: 'constant' });
    await eventually(() => runs() === 1);
    const busy = await ask({ body, key: 'constant' });
    expect([busy.status, Number(busy.header('retry-after')) >= 1]).toEqual([503, true]);
    open();
    expect((await first).bytes.toString()).toBe('{"status":"ok"}');
    expect((await ask({ body, key: 'constant' })).bytes.toString()).toBe('{"status":"ok"}');
    expect((await ask({ body: { ...body, groupKey: '{}:{other}' }, key: 'constant' })).status).toBe(200);
    expect(runs()).toBe(2);
    expect(events).toEqual(['http.key_ignored']);
    for (let at = 0; at < 2; at++) expect((await ask({ body: { test: 1 }, key: '' })).status).toBe(200);
    expect(runs()).toBe(4);
  });

  it('webhook: no duplicate, key or body, however odd, is told 4xx [P27]', async () => {
    const { ask } = await serve((_q, r) => void r.json({}), { preset: 'webhook' }, { before: [json] });
    let deep: unknown = 1;
    for (let at = 0; at < 2_000; at++) deep = [deep];
    const group = { groupKey: '{}:{}', receiver: 'r' };
    for (const body of [
      {},
      [],
      { groupKey: 7 },
      { ...group, alerts: [null, 7, 'x', {}] },
      { ...group, alerts: 'no' },
      { ...group, receiver: { $ne: null }, externalURL: ['a'] },
      { ...group, alerts: deep },
      { ...group, groupKey: '\ud800'.repeat(9_000) },
    ])
      for (const key of ['', 'k', 'a b', ['a', 'b']]) expect((await ask({ body, key })).status).toBe(200);
  });

  it('webhook: takes the body of 230 alerts, which the default limit of express would refuse for ever [P42]', async () => {
    const [alert] = captured('firing-single').alerts as object[];
    const alerts = Array.from({ length: 230 }, (_, n) => ({ ...alert, fingerprint: `f${n}`, pad: 'x'.repeat(200) }));
    const body = { ...captured('firing-single'), alerts };
    expect(JSON.stringify(body).length).toBeGreaterThan(100_000);
    const { ask, runs } = await serve((_q, r) => void r.json({}), { preset: 'webhook' }, { before: [json] });
    expect([(await ask({ body })).status, (await ask({ body })).header('idempotent-replayed'), runs()]).toEqual([
      200,
      'true',
      1,
    ]);
  });

  it('stripe: runs without a key; 409 in flight, 400 for another body [P43]', async () => {
    const { open, passed } = gate();
    const { ask, runs } = await serve(
      async (_q, r) => {
        await passed;
        r.json({ n: runs() });
      },
      { preset: 'stripe', waitMs: false },
      { before: [json] },
    );
    const first = ask({ body: { a: 1 } });
    await eventually(() => runs() === 1);
    expect((await ask({ body: { a: 1 } })).status).toBe(409);
    open();
    expect((await first).bytes.toString()).toBe('{"n":1}');
    expect((await ask({ body: { a: 2 } })).status).toBe(400);
    for (let at = 0; at < 2; at++) await ask({ body: { a: 1 }, key: '' });
    expect(runs()).toBe(3);
  });

  it('keeps tenants, callers and, where scope says so, queries apart under one key [P44]', async () => {
    const { ask, runs } = await serve(
      (_q, r) => void r.json({}),
      { scope: (request) => String(request.headers['x-tenant'] ?? '') },
      { before: [json] },
    );
    for (const headers of [
      {},
      { 'x-tenant': 'a' },
      { 'x-tenant': 'b' },
      { authorization: 'Bearer 1' },
      { authorization: 'Bearer 2' },
    ])
      for (let at = 0; at < 2; at++) await ask({ headers: headers as Record<string, string> });
    expect(runs()).toBe(5);
  });

  it('keeps only the statuses that `keep` says, and never 429 or 5xx [P45]', async () => {
    const { ask, runs } = await serve(
      (q, r) => void r.status(Number(q.headers['x-status'])).json({}),
      { keep: (status) => status !== 402 },
      { before: [json] },
    );
    for (const [status, times] of [
      ['402', 2],
      ['404', 1],
      ['429', 2],
      ['503', 2],
    ] as const) {
      const before = runs();
      for (let at = 0; at < 2; at++) await ask({ key: `k${status}`, headers: { 'x-status': status } });
      expect(runs() - before).toBe(times);
    }
  });

  it('works before and after the body parser; unread bodies are not compared, and that is told once [P46]', async () => {
    const events: string[] = [];
    const options = { onEvent: ({ type }: { type: string }) => events.push(type) };
    const { ask, runs } = await serve((q, r) => void r.json(q.body), options, { after: [json] });
    for (const body of [{ a: 1 }, { a: 2 }]) expect((await ask({ body })).bytes.toString()).toBe('{"a":1}');
    expect([runs(), events]).toEqual([1, ['http.body_unread']]);
  });

  it('stores the late answer of a handler that overran the deadline outside, for the retry [P28]', async () => {
    const { open, passed } = gate();
    const { ask, runs, idempotency } = await serve(
      async (_q, r) => {
        await passed;
        r.json({ late: true });
      },
      {},
      { before: [requestDeadline({ handlerMs: 100 }), json] },
    );
    expect((await ask()).status).toBe(503);
    open();
    await eventually(() => idempotency.stats().inFlight === 0);
    const retry = await ask();
    expect([retry.status, retry.bytes.toString(), runs()]).toEqual([200, '{"late":true}', 1]);
  });

  it('an answer is final when it has ended: what the handler throws or sets later changes nothing [P47]', async () => {
    const { ask, runs } = await serve(
      (_q, r) => {
        r.status(201).json({ ok: true });
        expect(
          [r.headersSent, (): unknown => r.setHeader('x-late', '1')].map((each) =>
            typeof each === 'function' ? 0 : each,
          ),
        ).toEqual([true, 0]);
        expect(() => r.setHeader('x-late', '1')).toThrow(/after they are sent/);
        r.statusCode = 500;
        r.end('more');
      },
      {},
      { before: [json] },
    );
    for (const { status, bytes, header } of [await ask(), await ask()])
      expect([status, bytes.toString(), header('x-late')]).toEqual([201, '{"ok":true}', undefined]);
    expect(runs()).toBe(1);
  });

  it('mounted twice on a route, each stores the answer under its own key [P47]', async () => {
    const outer = createIdempotency();
    const twice = idempotent(outer, { key: (request) => ['outer', String(request.headers['x-outer'])] });
    const { ask, runs } = await serve((_q, r) => void r.status(201).json({ n: runs() }), {}, { before: [json, twice] });
    for (const [key, by] of [
      ['a', '1'],
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ] as const) {
      const { status, bytes } = await ask({ key, headers: { 'x-outer': by } });
      expect([status, bytes.toString()]).toEqual([201, '{"n":1}']);
    }
    expect(runs()).toBe(1);
    await outer.close();
  });

  it('refuses options that are none, naming them [P48]', () => {
    const idempotency = createIdempotency();
    for (const [option, value] of Object.entries({
      preset: 'x',
      key: 'body',
      scope: 1,
      keep: 'all',
      sender: {},
      waitMs: -1,
      maxAnswerBytes: 0,
      onEvent: 7,
    }))
      expect(() => idempotent(idempotency, { [option]: value })).toThrow(
        expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', message: expect.stringContaining(option) }),
      );
  });
});

describe('idempotent, fastify', () => {
  it('takes options of its own for a route, or none; keeps headers that other plugins set [P49]', async () => {
    const idempotency = createIdempotency();
    const app = fastify();
    let runs = 0;
    app.addHook('onRequest', async (_request, reply) => void reply.header('access-control-allow-origin', '*'));
    await app.register(onFastify(idempotency, { preset: 'stripe' }));
    app.post('/default', async () => ({ runs: ++runs }));
    app.post('/never', { config: { idempotency: false } as object }, async () => ({ runs: ++runs }));
    app.post('/strict', { config: { idempotency: { preset: 'ietf' } } as object }, async () => ({ runs: ++runs }));
    const post = async (url: string, headers = {}) => app.inject({ method: 'POST', url, headers, payload: {} });
    const key = { 'idempotency-key': 'k' };
    expect((await post('/default', key)).body).toBe((await post('/default', key)).body);
    const replay = await post('/default', key);
    expect([replay.headers['idempotent-replayed'], replay.headers['access-control-allow-origin']]).toEqual([
      'true',
      '*',
    ]);
    expect((await post('/never', key)).body).not.toBe((await post('/never', key)).body);
    expect((await post('/strict')).statusCode).toBe(400);
    expect((await post('/strict', key)).statusCode).toBe(200);
    await app.close();
    await idempotency.close();
  });
});

describe('webhookKey', () => {
  it('decides as preset webhook does, for handlers that call execute themselves [P50]', () => {
    const keyOf = webhookKey({ peers: 1 });
    const body = captured('firing-group-3');
    expect(keyOf({ body, header: 'constant', sender: 'a' })).toMatchObject({
      lane: ['alertmanager', body.receiver, body.groupKey],
    });
    expect(keyOf({ body: { a: 1 }, header: 'k' })).toEqual(keyOf({ body: { a: 1 }, header: ['"k"'] }));
    expect(keyOf({ body: { a: 1 }, header: 'k' })).not.toEqual(keyOf({ body: { a: 2 }, header: 'k' }));
    expect(keyOf({ body: { a: 1 }, header: 'k', scope: '/x' })).not.toEqual(keyOf({ body: { a: 1 }, header: 'k' }));
    for (const header of [undefined, '', 'a b', ['a', 'b']]) expect(keyOf({ body: { a: 1 }, header })).toBeUndefined();
  });
});
