import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { createIdempotency, type IdempotencyEvent, memoryStore } from '../../src/index.js';

const DAY = 86_400_000;

describe('memoryStore', () => {
  it('keeps at most maxEntries and maxBytes; every eviction before expiry is counted and evented [P61]', async () => {
    const events: IdempotencyEvent[] = [];
    const onEvent = (event: IdempotencyEvent): void => {
      if (event.type === 'entry.evicted') events.push(event);
    };
    const idempotency = createIdempotency({ store: memoryStore({ maxEntries: 100, maxBytes: 1_000_000 }), onEvent });
    for (let at = 0; at < 1_000; at++) await idempotency.run(`k${at}`, () => 'v');
    expect(idempotency.stats()).toMatchObject({ entries: 100, evicted: 900 });
    expect(events).toHaveLength(900);
    expect(events[0]).toMatchObject({ key: 'k0', why: 'no-room', leftMs: expect.any(Number) });
    const big = createIdempotency({ store: memoryStore({ maxBytes: 10_000 }), onEvent });
    for (let at = 0; at < 50; at++) await big.run(`b${at}`, () => 'x'.repeat(1_000));
    expect(big.stats().bytes).toBeLessThanOrEqual(10_000);
    await big.run('huge', () => 'x'.repeat(20_000));
    expect(events.at(-1)).toMatchObject({ key: 'huge', why: 'too-large' });
    expect(await big.execute('huge', () => 'ran again')).toMatchObject({ via: 'ran' });
  });

  it('never evicts work in flight, and a flood in one namespace evicts nothing of another [P61]', async () => {
    const store = memoryStore({ maxEntries: 10 });
    const [a, b] = [createIdempotency({ store }), createIdempotency({ store, namespace: 'b' })];
    await b.run('kept', () => 'b');
    const ends: (() => void)[] = [];
    const flying = Array.from({ length: 50 }, (_, n) =>
      a.run(`f${n}`, () => new Promise<number>((resolve) => ends.push(() => resolve(n)))),
    );
    for (let at = 0; at < 100; at++) await a.run(`k${at}`, () => at);
    expect(a.stats()).toMatchObject({ inFlight: 50, entries: 60 });
    for (const end of ends) end();
    expect(await Promise.all(flying)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(await b.execute('kept', () => 'again')).toMatchObject({ via: 'replayed' });
  });

  it('frees expired entries without a hit, with one timer for all; a TTL over 24.8 days holds [P62]', async () => {
    const clock = manualClock();
    const idempotency = createIdempotency({ clock, ttlMs: 60_000 });
    for (let at = 0; at < 5_000; at++) await idempotency.run(`k${at}`, () => at);
    expect(clock.pending).toBeLessThan(5);
    await idempotency.run('long', () => 'month', { ttlMs: 30 * DAY });
    await clock.advance(100_000);
    expect(idempotency.stats().entries).toBe(1);
    await clock.advance(29 * DAY);
    expect(await idempotency.execute('long', () => 'again')).toMatchObject({ value: 'month', via: 'replayed' });
    await clock.advance(2 * DAY);
    expect(idempotency.stats().entries).toBe(0);
  });

  it('replays to the last millisecond of the TTL and not beyond, swept or not [P62]', async () => {
    const clock = manualClock();
    const idempotency = createIdempotency({ clock, ttlMs: 1_000 });
    for (const options of [undefined, { fingerprint: 'a' }]) {
      const key = `k ${options?.fingerprint}`;
      await idempotency.run(key, () => 'first', options);
      await clock.advance(999);
      expect(await idempotency.execute(key, () => 'again', options)).toMatchObject({ via: 'replayed', ageMs: 999 });
      await clock.advance(1);
      expect(await idempotency.execute(key, () => 'again', options)).toMatchObject({ value: 'again', via: 'ran' });
    }
  });

  it('neither revives nor expires anything when the wall clock jumps [P67]', async () => {
    const clock = manualClock();
    const idempotency = createIdempotency({ clock, ttlMs: 60_000, leaseMs: 10_000, waitMs: false });
    await idempotency.run('k', () => 'v');
    let end = (): void => undefined;
    const flying = idempotency.run('flying', () => new Promise<string>((resolve) => (end = () => resolve('landed'))));
    for (const jump of [-365 * DAY, 730 * DAY]) {
      clock.jumpWall(jump);
      expect(await idempotency.execute('k', () => 'again')).toMatchObject({ via: 'replayed' });
      await expect(createIdempotencyBeside(idempotency)).resolves.toBe('IDEMPOTENCY_BUSY');
    }
    end();
    expect(await flying).toBe('landed');
    await clock.advance(60_001);
    clock.jumpWall(-DAY);
    expect(await idempotency.execute('k', () => 'again')).toMatchObject({ via: 'ran' });

    function createIdempotencyBeside(instance: typeof idempotency): Promise<string> {
      return instance.run('flying', () => 'stolen').catch((error: { code: string }) => error.code);
    }
  });

  it('shared by two instances: one namespace is one set of keys, two never mix [P63]', async () => {
    const store = memoryStore();
    const [a, twin, b] = [
      createIdempotency({ store }),
      createIdempotency({ store }),
      createIdempotency({ store, namespace: 'b' }),
    ];
    const work = (name: string) => async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return name;
    };
    const names = Array.from({ length: 50 }, (_, n) => `k${n}`);
    const [ofA, ofTwin, ofB] = await Promise.all(
      (
        [
          [a, 'a'],
          [twin, 'twin'],
          [b, 'b'],
        ] as const
      ).map(([instance, name]) => Promise.all(names.map((key) => instance.run(key, work(name))))),
    );
    expect(ofTwin).toEqual(ofA);
    expect(new Set(ofB)).toEqual(new Set(['b']));
  });

  it('holds memory flat: 100,000 keys through a store of 1,000 [P78]', async () => {
    const idempotency = createIdempotency({ store: memoryStore({ maxEntries: 1_000 }) });
    let entries = 0;
    for (let at = 0; at < 100_000; at++) {
      await idempotency.run(`k${at}`, () => 'v');
      if (at % 10_000 === 0) entries = Math.max(entries, idempotency.stats().entries!);
    }
    expect(entries).toBeLessThanOrEqual(1_000);
    expect(idempotency.stats()).toMatchObject({ entries: 1_000, inFlight: 0, evicted: 99_000 });
  });
});
