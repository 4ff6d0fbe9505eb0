import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { type Channel, type DeliveryEvent, isDeliveryError, openDelivery } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

const ok = (name = 'b'): Channel & { got: string[] } => {
  const got: string[] = [];
  return {
    name,
    got,
    async send(alert) {
      got.push(alert.title);
    },
  };
};

describe('openDelivery', () => {
  it('refuses bad options by name [P23]', async () => {
    for (const [options, name] of [
      [{ chain: [] }, 'chain'],
      [{ chain: [{ channel: ok(), timeoutMs: 2 ** 31 }] }, 'chain[0].timeoutMs'],
      [{ deadlineMs: 3e9 }, 'deadlineMs'],
      [{ chain: [{ channel: ok() }, { channel: ok() }] }, 'chain must name'],
    ] as const) {
      const error: unknown = await openDelivery({
        chain: [{ channel: ok() }],
        store: memoryStore(),
        ...(options as object),
      }).catch((e: unknown) => e);
      expect(isDeliveryError(error, 'DELIVERY_INVALID_OPTION') && error.message).toContain(name);
    }
  });

  it('goes on to the next channel when one never settles, and takes its late success [P24]', async () => {
    const clock = manualClock();
    let answer: (() => void) | undefined;
    const hangs: Channel = { name: 'a', send: () => new Promise((resolve) => (answer = () => resolve(undefined))) };
    const next = ok();
    const delivery = await openDelivery({
      chain: [{ channel: hangs, timeoutMs: 1000, retries: 0 }, { channel: next }],
      store: memoryStore(),
      clock,
    });
    const outcome = delivery.notify({ title: 't', severity: 'error' });
    await clock.advance(1000);
    expect(await outcome).toMatchObject({ status: 'delivered', channel: 'b' });
    expect(clock.pending).toBe(0);
    const slow = await openDelivery({
      chain: [
        { channel: hangs, timeoutMs: 1000, retries: 1, backoff: { minMs: 500, maxMs: 500, factor: 1 } },
        { channel: next },
      ],
      store: memoryStore(),
      clock,
      random: () => 1,
    });
    const late = slow.notify({ title: 'late', severity: 'error' });
    await clock.advance(1100);
    answer?.();
    expect(await late).toMatchObject({ status: 'delivered', channel: 'a', late: true });
    expect(next.got).toEqual(['t']);
  });

  it('folds what waited for a throttled channel into one digest, never a critical alert [P25]', async () => {
    const clock = manualClock();
    const got: string[] = [];
    let throttled = true;
    const channel: Channel = {
      name: 'a',
      async send(alert) {
        got.push(alert.title);
        if (throttled) throw Object.assign(new Error('slow down'));
      },
      classify: () => ({ kind: 'throttled', retryAfterMs: 5000 }),
    };
    const delivery = await openDelivery({ chain: [{ channel, concurrency: 1 }], store: memoryStore(), clock });
    const outcomes = Array.from({ length: 100 }, (_, n) =>
      delivery.notify({ title: `alert ${n}`, severity: n === 50 ? 'critical' : 'error' }),
    );
    await clock.advance(4999);
    expect(got).toHaveLength(1);
    throttled = false;
    await clock.advance(1);
    const ended = await Promise.all(outcomes);
    expect(got).toHaveLength(3);
    expect(got).toContain('alert 50');
    expect(ended.filter((outcome) => outcome.status === 'coalesced')).toHaveLength(99);
    expect(delivery.stats()).toMatchObject({ accepted: 100, delivered: 1, coalesced: 99, pending: 0, lawHolds: true });
  });

  it('groups alerts with one dedupKey within the window, and waits for room when the queue is full [P26]', async () => {
    const clock = manualClock();
    const channel = ok();
    const delivery = await openDelivery({
      chain: [{ channel }],
      store: memoryStore(),
      clock,
      group: { windowMs: 1000 },
      queue: { max: 3 },
    });
    const outcomes = [1, 2, 3].map(() => delivery.notify({ title: 'disk', severity: 'warning', dedupKey: 'd' }));
    let fourth = false;
    const waiting = delivery.accept({ title: 'other', severity: 'warning' }).then(() => (fourth = true));
    await clock.advance(999);
    expect([channel.got, fourth]).toEqual([[], false]);
    await clock.advance(1);
    expect((await Promise.all(outcomes)).map((outcome) => outcome.status)).toEqual([
      'coalesced',
      'coalesced',
      'coalesced',
    ]);
    await waiting;
    await delivery.flush();
    expect(channel.got).toEqual(['disk (3 times)', 'other']);
  });

  it('calls the critical hook once for a dead alert, guards it, and lets alerts from it call it no more [P27]', async () => {
    const events: DeliveryEvent[] = [];
    let calls = 0;
    const delivery = await openDelivery({
      chain: () => [],
      store: memoryStore(),
      onEvent: (event) => {
        events.push(event);
        throw new Error('a listener');
      },
      critical: async () => {
        calls++;
        await delivery.notify({ title: 'from the hook', severity: 'critical' });
        throw new Error('the hook');
      },
    });
    expect(await delivery.notify({ title: 't', severity: 'critical' })).toMatchObject({
      status: 'dead',
      reason: 'no-route',
    });
    await expect.poll(() => events.some((event) => event.type === 'critical-hook.failed')).toBe(true);
    await delivery.flush();
    expect(calls).toBe(1);
    await delivery.close();
    await expect(delivery.accept({ title: 't', severity: 'info' })).rejects.toMatchObject({ code: 'DELIVERY_CLOSED' });
  });
});
