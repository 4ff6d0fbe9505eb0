import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { alertmanager } from '../../src/alertmanager.js';
import { createIdempotency, fingerprintOf, type IdempotencyEvent, memoryStore } from '../../src/index.js';

describe('events', () => {
  it('say why a call ran, joined, replayed or was refused, and never what the values were [P76]', async () => {
    const clock = manualClock();
    const events: IdempotencyEvent[] = [];
    const idempotency = createIdempotency({ clock, waitMs: false, onEvent: (event) => events.push(event) });
    const lane = (state: string, more = {}) => ({ lane: ['group'], state, windowMs: 10_000, ...more });
    const late = (sender: string) => ({ late: { ms: 10_000, sender } });
    const secret = 'secret value';
    await idempotency.run(lane('f', late('a')), () => secret);
    await idempotency.run(lane('f', late('a')), () => secret);
    await idempotency.run(lane('r', late('a')), () => secret);
    await idempotency.run(lane('f', late('b')), () => secret);
    await idempotency.run(lane('r', { repeat: { ms: 10_000 } }), () => secret);
    await idempotency.run(lane('r', { repeat: { ms: 10_000 } }), () => secret);
    await clock.advance(10_001);
    await idempotency.run(lane('r'), () => secret);
    await idempotency.run('plain', () => Promise.reject(new Error(secret))).catch(() => undefined);
    await idempotency.run('plain', () => secret);
    const running = idempotency.run('plain 2', () => new Promise((resolve) => setImmediate(resolve)), {
      waitMs: 1_000,
    });
    const joining = idempotency.run('plain 2', () => 0, { waitMs: 1_000 });
    await idempotency.run('plain 2', () => 0).catch(() => undefined);
    await Promise.all([running, joining]);
    const why = events.flatMap((event) => {
      if (event.type === 'run.started' || event.type === 'call.replayed') return [`${event.type} ${event.reason}`];
      if (event.type === 'call.refused') return [`${event.type} ${event.code}`];
      return event.type.startsWith('run.s') || event.type.startsWith('store') ? [] : [event.type];
    });
    expect(why).toEqual([
      'run.started first',
      'call.replayed same-state',
      'run.started state-changed',
      'call.replayed stale-sender',
      'run.started repeat',
      'call.replayed copy-of-repeat',
      'run.started window-over',
      'run.started first',
      'run.released',
      'run.started retry',
      'run.started first',
      'call.refused IDEMPOTENCY_BUSY',
      'call.joined',
    ]);
    expect(JSON.stringify(events)).not.toContain(secret);
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
  });

  it('warn of an absorbed copy that came later than one delivery is retried [P82]', async () => {
    const clock = manualClock();
    const events: IdempotencyEvent[] = [];
    const idempotency = createIdempotency({ clock, store: memoryStore(), onEvent: (event) => events.push(event) });
    const key = alertmanager({ peers: 1 })({ groupKey: '{}', receiver: 'r', alerts: [] });
    const late = () => events.filter(({ type }) => type === 'call.absorbed_late');
    await idempotency.run(key, () => 1);
    await clock.advance(290_000);
    await idempotency.run(key, () => 1);
    expect(late()).toEqual([]);
    await clock.advance(20_000);
    await idempotency.run(key, () => 1);
    expect(late()).toEqual([expect.objectContaining({ ageMs: 310_000, retryMs: 300_000 })]);
  });

  it('of a listener that throws change nothing [P76]', async () => {
    const idempotency = createIdempotency({
      onEvent: () => {
        throw new Error('listener');
      },
    });
    expect(await idempotency.run('k', () => 1)).toBe(1);
    expect(await idempotency.run('k', () => 2)).toBe(1);
  });
});

describe('fingerprintOf', () => {
  it('does not depend on the order of keys; types, __proto__ and emptiness count; what JSON defines is defined [P64]', () => {
    const json = (text: string): string => fingerprintOf(JSON.parse(text));
    expect(json('{"a":1,"b":{"c":[1,{"x":1,"y":2}]}}')).toBe(json('{ "b": {"c":[1,{"y":2,"x":1}]}, "a":1 }'));
    const different = [
      '1',
      '"1"',
      'null',
      '[]',
      '{}',
      '""',
      'true',
      '{"a":1}',
      '{"A":1}',
      '{"__proto__":1}',
      '{"__proto__":2}',
      '[1,2]',
      '[2,1]',
      '[[1],2]',
    ];
    expect(new Set(different.map(json)).size).toBe(different.length);
    expect(json('{"a":1,"a":2}')).toBe(json('{"a":2}'));
    expect(fingerprintOf(-0)).toBe(fingerprintOf(0));
    expect(fingerprintOf(Number.NaN)).toBe(fingerprintOf(null));
    expect(fingerprintOf({ a: undefined })).toBe(fingerprintOf({}));
    expect(json('"é"')).toMatch(/^[\w-]{43}$/);
  });

  it('refuses what is nested too deep or circular, by a typed error [P64]', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    for (const bad of [circle, JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)])
      expect(() => fingerprintOf(bad)).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_VALUE' }));
  });
});

describe('createIdempotency', () => {
  it('refuses options that are none, naming the option and what was given [P77]', () => {
    const bad = {
      ttlMs: 0,
      leaseMs: Number.NaN,
      maxRunMs: -1,
      waitMs: 'x',
      storeTimeoutMs: Infinity,
      namespace: '',
      onStoreError: 'maybe',
      onEvent: {},
      store: {},
    };
    for (const [option, value] of Object.entries(bad))
      expect(() => createIdempotency({ [option]: value })).toThrow(
        expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION', message: expect.stringContaining(option) }),
      );
    for (const options of [{ maxEntries: 0 }, { maxEntries: 1.5 }, { maxBytes: 10 }])
      expect(() => memoryStore(options)).toThrow(expect.objectContaining({ code: 'IDEMPOTENCY_INVALID_OPTION' }));
  });

  it('peeks without changing, forgets on request, counts [P83]', async () => {
    await using idempotency = createIdempotency();
    expect(await idempotency.peek('k')).toBeUndefined();
    await expect(
      idempotency.run('k', async (op) => {
        await op.step('one', () => 1);
        expect(await idempotency.peek('k')).toMatchObject({ status: 'running', attempt: 1, id: op.id, steps: ['one'] });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await idempotency.peek('k')).toMatchObject({ status: 'interrupted', steps: ['one'] });
    await idempotency.run('k', () => ({ a: 1 }));
    expect(await idempotency.peek('k')).toMatchObject({ status: 'settled', attempt: 2, value: { a: 1 } });
    expect([await idempotency.forget('k'), await idempotency.forget('k'), await idempotency.peek('k')]).toEqual([
      true,
      false,
      undefined,
    ]);
    expect(await idempotency.run('k', () => 'fresh', { retain: () => false })).toBe('fresh');
    expect(await idempotency.run('k', () => 'again')).toBe('again');
    expect(idempotency.stats()).toMatchObject({ runs: 4, failures: 1, hits: 0, entries: 1, inFlight: 0 });
  });
});
