import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { type Channel, type DeliveryEvent, openDelivery } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

describe('dead letters', () => {
  const dead = async (
    bounds: { maxEntries?: number; maxBytes?: number },
    severities: readonly ('critical' | 'error' | 'warning' | 'info')[],
  ): Promise<{ left: string[]; events: DeliveryEvent[]; delivery: Awaited<ReturnType<typeof openDelivery>> }> => {
    const events: DeliveryEvent[] = [];
    const delivery = await openDelivery({
      chain: () => [],
      store: memoryStore(),
      deadLetters: bounds,
      onEvent: (event) => events.push(event),
    });
    for (const [n, severity] of severities.entries())
      await delivery.notify({ id: `${severity}-${n}`, title: 't'.repeat(500), severity });
    const left: string[] = [];
    for await (const { id } of delivery.dead()) left.push(id);
    return { left, events, delivery };
  };

  it('go by count or bytes, lowest severity and oldest first, each counted, told, summed up and still known [P60]', async () => {
    const order = ['critical', 'info', 'error', 'info', 'warning', 'critical'] as const;
    const { left, events, delivery } = await dead({ maxEntries: 3 }, order);
    expect(left).toEqual(['critical-0', 'error-2', 'critical-5']);
    const evicted = events.filter((event) => event.type === 'dead-letter.evicted');
    expect(evicted.map((event) => `${event.id} ${event.why}`)).toEqual([
      'info-1 count',
      'info-3 count',
      'warning-4 count',
    ]);
    const stats = delivery.stats();
    expect(stats).toMatchObject({ accepted: 6, dead: 3, evicted: 3, lawHolds: true });
    expect(stats.evictions?.bySeverity).toEqual({ info: 2, warning: 1 });
    expect((await delivery.accept({ id: 'info-1', title: 't', severity: 'info' })).duplicate).toBe(true);
    expect(await delivery.explain('info-1')).toMatchObject({ status: 'dead' });
    await delivery.close();
    const small = await dead({ maxBytes: 2200 }, ['info', 'critical', 'info', 'critical', 'info']);
    expect(small.left).toEqual(['critical-1', 'critical-3', 'info-4'].slice(0, small.left.length));
    expect(small.events.some((event) => event.type === 'dead-letter.evicted' && event.why === 'bytes')).toBe(true);
    await small.delivery.close();
  });

  it('are replayed by filter, in the order that is asked for, at the rate that is asked for, and not at all in a dry run [P61]', async () => {
    const clock = manualClock();
    const got: [string, number][] = [];
    let down = true;
    const channel: Channel = {
      name: 'a',
      async send(alert) {
        if (down) throw new Error('down');
        got.push([alert.id, clock.monotonic()]);
      },
    };
    await using delivery = await openDelivery({
      chain: [{ channel, retries: 0, breaker: false }],
      store: memoryStore(),
      clock,
    });
    for (const [n, severity] of (['info', 'critical', 'error', 'critical'] as const).entries()) {
      await delivery.notify({ id: `d${n}`, title: 't', severity });
      clock.jumpWall(1);
    }
    const dry: string[] = [];
    for await (const outcome of delivery.replay({ dryRun: true, order: 'newest' }))
      dry.push(`${outcome.id} ${outcome.status}`);
    expect(dry).toEqual(['d3 dead', 'd2 dead', 'd1 dead', 'd0 dead']);
    expect(delivery.stats().dead).toBe(4);
    down = false;
    const run = async (): Promise<string[]> => {
      const ids: string[] = [];
      for await (const outcome of delivery.replay({ order: 'severity', perSecond: 2, limit: 3 })) ids.push(outcome.id);
      return ids;
    };
    const running = run();
    await clock.advance(2000);
    expect(await running).toEqual(['d1', 'd3', 'd2']);
    expect(got.map(([, at]) => at)).toEqual([0, 500, 1000]);
    const none: string[] = [];
    for await (const outcome of delivery.replay({ severity: 'critical' })) none.push(outcome.id);
    expect(none).toEqual([]);
  });

  it('are sent once by two that replay at the same time, and stay one letter when it fails again [P62]', async () => {
    let down = true;
    const got: string[] = [];
    const channel: Channel = {
      name: 'a',
      async send(alert) {
        await new Promise((resolve) => setImmediate(resolve));
        if (down) throw new Error('down');
        got.push(alert.id);
      },
    };
    await using delivery = await openDelivery({
      chain: [{ channel, retries: 0, breaker: false }],
      store: memoryStore(),
    });
    for (let n = 0; n < 20; n++) await delivery.notify({ id: `d${n}`, title: 't', severity: 'error' });
    for await (const outcome of delivery.replay()) expect(outcome.status).toBe('dead');
    expect(delivery.stats()).toMatchObject({ accepted: 20, dead: 20, lawHolds: true });
    down = false;
    const run = async (): Promise<number> => {
      let sent = 0;
      for await (const outcome of delivery.replay()) if (outcome.status === 'delivered') sent++;
      return sent;
    };
    const [one, two] = await Promise.all([run(), run()]);
    expect(one + two).toBe(20);
    expect(new Set(got).size).toBe(20);
    expect(got).toHaveLength(20);
    expect(delivery.stats()).toMatchObject({ dead: 0, delivered: 20, lawHolds: true });
  });
});
