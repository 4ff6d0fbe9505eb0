import { getEventListeners } from 'node:events';
import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import {
  type Channel,
  ChannelError,
  type DeliveryEvent,
  openDelivery,
  type SendContext,
  type Verdict,
} from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

type Send = (context: SendContext, id: string) => unknown;

/** A channel that does as it is told and remembers what it was asked. */
function channel(name: string, send: Send, more: Partial<Channel> = {}): Channel & { readonly calls: SendContext[] } {
  const calls: SendContext[] = [];
  return {
    name,
    calls,
    ...more,
    async send(alert, context) {
      calls.push(context);
      await send(context, alert.id);
    },
  };
}
const fails = (kind: Verdict['kind'], retryAfterMs?: number) => (): never => {
  throw new ChannelError(kind, { kind, retryAfterMs });
};
const backoff = { minMs: 0, maxMs: 0, factor: 1 };
const never = (): Promise<never> => new Promise(() => undefined);
const alert = { id: 'x', title: 't', severity: 'error' } as const;

describe('an attempt', () => {
  it('that succeeds in the moment its time is up is a success, and nothing escalates [P43]', async () => {
    const clock = manualClock();
    const a = channel('a', () => new Promise<void>((resolve) => void clock.schedule(1000, resolve)));
    const b = channel('b', () => undefined);
    await using delivery = await openDelivery({
      chain: [{ channel: a, timeoutMs: 1000, retries: 0 }, { channel: b }],
      store: memoryStore(),
      clock,
      deadlineMs: 2000,
    });
    const outcome = delivery.notify(alert);
    await clock.advance(1000);
    expect(await outcome).toMatchObject({ status: 'delivered', channel: 'a' });
    expect(b.calls).toHaveLength(0);
  });

  it('that succeeds after its alert has escalated is told of once and changes nothing [P44]', async () => {
    const clock = manualClock();
    const events: DeliveryEvent[] = [];
    const a = channel('a', () => new Promise<void>((resolve) => void clock.schedule(3000, resolve)));
    await using delivery = await openDelivery({
      chain: [{ channel: a, timeoutMs: 1000, retries: 0 }, { channel: channel('b', () => undefined) }],
      store: memoryStore(),
      clock,
      onEvent: (event) => events.push(event),
    });
    const outcome = delivery.notify(alert);
    await clock.advance(5000);
    expect(await outcome).toMatchObject({ status: 'delivered', channel: 'b' });
    expect(events.filter((event) => event.type === 'late-success.seen')).toEqual([
      { type: 'late-success.seen', id: 'x', channel: 'a' },
    ]);
    expect(delivery.stats()).toMatchObject({ accepted: 1, delivered: 1, lawHolds: true });
  });

  it('is retried whatever was thrown: a string, nothing, a plain object, a TypeError, at once [P45]', async () => {
    for (const thrown of ['text', undefined, { status: 503 }, new TypeError('x is not a function')]) {
      const a = channel('a', () => undefined);
      const sync: Channel = {
        name: 'a',
        send(stored, context) {
          void a.send(stored, context);
          throw thrown as Error;
        },
      };
      await using delivery = await openDelivery({ chain: [{ channel: sync, backoff }], store: memoryStore() });
      expect(await delivery.notify(alert)).toMatchObject({ status: 'dead', reason: 'exhausted' });
      expect(a.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    }
  });

  it('of an unknown end is repeated at most once and marked where the provider has no key, and with the same key where it has [P46]', async () => {
    for (const idempotent of [false, true]) {
      const cut = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      const a = channel('a', () => Promise.reject(cut), { idempotent });
      await using delivery = await openDelivery({ chain: [{ channel: a, retries: 3, backoff }], store: memoryStore() });
      expect(await delivery.notify(alert)).toMatchObject({ status: 'dead', reason: 'ambiguous' });
      expect(a.calls.map(({ maybeRepeat }) => maybeRepeat)).toEqual(
        idempotent ? [false, true, true, true] : [false, true],
      );
      expect(new Set(a.calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    }
  });

  it('leaves no timer and no listener behind, however it ends [P47]', async () => {
    const clock = manualClock();
    const signals = new Set<AbortSignal>();
    let n = 0;
    const a = channel('a', ({ signal }) => {
      signals.add(signal);
      n++;
      if (n % 3 === 0) throw new Error('no');
      return n % 3 === 1 ? never() : undefined;
    });
    await using delivery = await openDelivery({
      chain: [{ channel: a, timeoutMs: 100, retries: 1, backoff, breaker: false, concurrency: 1 }],
      store: memoryStore(),
      clock,
    });
    const outcomes = Array.from({ length: 50 }, (_, id) => delivery.notify({ ...alert, id: `x${id}` }));
    for (let tick = 0; tick < 60; tick++) await clock.advance(100);
    await Promise.all(outcomes);
    expect(clock.pending).toBe(0);
    for (const signal of signals) expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a chain', () => {
  it('goes on at once where Retry-After is longer than what is left, and sends nothing before it is over [P48]', async () => {
    const clock = manualClock();
    let throttled = true;
    const a = channel('a', () => (throttled ? fails('throttled', 60_000)() : undefined));
    const b = channel('b', () => undefined);
    await using delivery = await openDelivery({
      chain: [{ channel: a }, { channel: b }],
      store: memoryStore(),
      clock,
      deadlineMs: 20_000,
    });
    const outcomes = Array.from({ length: 1000 }, (_, n) => delivery.notify({ ...alert, id: `x${n}` }));
    await clock.advance(0);
    expect((await Promise.all(outcomes)).every((outcome) => outcome.status !== 'dead')).toBe(true);
    const before = a.calls.length;
    expect(before).toBeLessThanOrEqual(16);
    throttled = false;
    await clock.advance(30_000);
    expect(await delivery.notify({ ...alert, id: 'y' })).toMatchObject({ channel: 'b' });
    expect(a.calls).toHaveLength(before);
    await clock.advance(30_000);
    expect(await delivery.notify({ ...alert, id: 'z' })).toMatchObject({ channel: 'a' });
  });

  it('ends within its deadline, attempts and pauses together, and keeps an attempt for the last step [P49]', async () => {
    const clock = manualClock();
    const a = channel('a', never);
    const b = channel('b', never);
    await using delivery = await openDelivery({
      chain: [
        { channel: a, timeoutMs: 4000, retries: 100, backoff: { minMs: 500, maxMs: 500, factor: 1 }, breaker: false },
        { channel: b, timeoutMs: 2000, retries: 100, backoff, breaker: false },
      ],
      store: memoryStore(),
      clock,
      deadlineMs: 10_000,
      random: () => 1,
    });
    let ended: unknown;
    void delivery.notify(alert).then((outcome) => {
      ended = outcome;
    });
    await clock.advance(7990);
    expect(b.calls).toHaveLength(0);
    await clock.advance(20);
    expect(b.calls).toHaveLength(1);
    await clock.advance(2040);
    expect(ended).toMatchObject({ status: 'dead' });
  });

  it('lets one probe through a breaker that may close, and sends the others on at once [P50]', async () => {
    const clock = manualClock();
    let probe: (() => void) | undefined;
    let works = false;
    const a = channel('a', () => (works ? new Promise<void>((resolve) => (probe = resolve)) : fails('transient')()));
    const b = channel('b', () => undefined);
    await using delivery = await openDelivery({
      chain: [{ channel: a, retries: 0, breaker: { failures: 3, openMs: 1000 } }, { channel: b }],
      store: memoryStore(),
      clock,
    });
    for (let n = 0; n < 3; n++) await delivery.notify({ ...alert, id: `f${n}` });
    expect(await delivery.notify({ ...alert, id: 'open' })).toMatchObject({
      channel: 'b',
      attempts: [{ channel: 'b' }],
    });
    await clock.advance(1000);
    works = true;
    const calls = a.calls.length;
    const outcomes = Array.from({ length: 10 }, (_, n) => delivery.notify({ ...alert, id: `h${n}` }));
    const rest = await Promise.all(outcomes.slice(1));
    expect(rest.every((outcome) => outcome.status === 'delivered' && outcome.channel === 'b')).toBe(true);
    expect(a.calls).toHaveLength(calls + 1);
    probe?.();
    expect(await outcomes[0]).toMatchObject({ channel: 'a' });
    expect(delivery.stats().channels.a?.breaker).toBe('closed');
  });

  it('stops waiting when the caller aborts, and still owns the alert [P51]', async () => {
    const clock = manualClock();
    const a = channel('a', () => new Promise<void>((resolve) => void clock.schedule(500, resolve)));
    await using delivery = await openDelivery({ chain: [{ channel: a }], store: memoryStore(), clock });
    const reason = new Error('enough');
    await expect(delivery.notify(alert, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(delivery.stats().accepted).toBe(0);
    const controller = new AbortController();
    const waiting = delivery.notify(alert, { signal: controller.signal });
    await clock.advance(0);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await clock.advance(500);
    await delivery.flush();
    expect(delivery.stats()).toMatchObject({ accepted: 1, delivered: 1 });
  });

  it('has each key from id and channel, the same on every attempt and replay, until it is asked for as new [P52]', async () => {
    let down = true;
    const a = channel('a', () => (down ? fails('transient')() : undefined));
    const b = channel('b', () => fails('transient')());
    await using delivery = await openDelivery({
      chain: [
        { channel: a, retries: 1, backoff, breaker: false },
        { channel: b, retries: 0, breaker: false },
      ],
      store: memoryStore(),
    });
    await delivery.notify(alert);
    for await (const _outcome of delivery.replay()) expect(_outcome.status).toBe('dead');
    const keys = a.calls.map(({ idempotencyKey }) => idempotencyKey);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(b.calls[0]!.idempotencyKey).not.toBe(keys[0]);
    down = false;
    for await (const _outcome of delivery.replay({ asNew: true })) expect(_outcome.status).toBe('delivered');
    expect(a.calls.at(-1)!.idempotencyKey).not.toBe(keys[0]);
  });

  it('tells the timeline of an alert: attempts with verdicts, pauses, escalation, end [P53]', async () => {
    const clock = manualClock();
    const a = channel('a', fails('transient'));
    const b = channel(
      'b',
      (() => {
        let n = 0;
        return () => (++n === 1 ? fails('throttled', 1000)() : undefined);
      })(),
    );
    await using delivery = await openDelivery({
      chain: [
        { channel: a, retries: 1, backoff: { minMs: 100, maxMs: 100, factor: 1 } },
        { channel: b, concurrency: 1 },
      ],
      store: memoryStore(),
      clock,
      random: () => 1,
    });
    const outcome = delivery.notify({ ...alert, data: { host: 'db-3' } });
    await clock.advance(2000);
    await outcome;
    const timeline = await delivery.explain('x');
    expect(timeline).toMatchObject({ status: 'delivered', recovered: false, alert: { data: { host: 'db-3' } } });
    expect(timeline?.events.map((event) => ('why' in event ? `${event.type} ${event.why}` : event.type))).toEqual([
      'started',
      'attempted',
      'waited backoff',
      'started',
      'attempted',
      'escalated exhausted',
      'started',
      'attempted',
      'waited throttled',
      'started',
      'delivered',
    ]);
    expect(await delivery.explain('nobody')).toBeUndefined();
  });
});
