import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { type Alert, type Channel, openDelivery, type StoredAlert } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

const firing = (id: string, more: Partial<Alert> = {}): Alert => ({
  id,
  title: 'disk full',
  severity: 'error',
  status: 'firing',
  dedupKey: 'disk',
  ...more,
});
const resolved = (id: string, more: Partial<Alert> = {}): Alert => firing(id, { status: 'resolved', ...more });

/** Takes one message at a time, each when it is let go. */
function slow(name: string): Channel & { readonly got: StoredAlert[]; let(): void } {
  const got: StoredAlert[] = [];
  const waiting: (() => void)[] = [];
  return {
    name,
    got,
    let: () => waiting.shift()?.(),
    send(alert) {
      got.push(alert);
      return new Promise((resolve) => waiting.push(() => resolve(undefined)));
    },
  };
}
const turns = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
};

describe('firing and resolved', () => {
  it('folds a firing that was never sent and its resolved notice into one line, and ends both [P54]', async () => {
    const channel = slow('a');
    await using delivery = await openDelivery({ chain: [{ channel, concurrency: 1 }], store: memoryStore() });
    await delivery.accept({ id: 'first', title: 'busy', severity: 'error' });
    const outcomes = [delivery.notify(firing('f')), delivery.notify(resolved('r'))];
    await turns();
    channel.let();
    await turns();
    channel.let();
    const ended = await Promise.all(outcomes);
    expect(channel.got.map((alert) => alert.digest?.ids ?? alert.id)).toEqual(['first', ['f', 'r']]);
    expect(channel.got[1]).toMatchObject({
      status: 'resolved',
      dedupKey: 'disk',
      body: '[fired and resolved] disk full',
    });
    expect(ended).toEqual(['f', 'r'].map((id) => ({ status: 'coalesced', id, into: channel.got[1]!.id })));
    expect(delivery.stats()).toMatchObject({ accepted: 3, delivered: 1, coalesced: 2, lawHolds: true });
  });

  it('sends a firing that waits for room when those who wait for it have the room [P83]', async () => {
    const channel = slow('a');
    await using delivery = await openDelivery({
      chain: [{ channel }],
      store: memoryStore(),
      queue: { max: 2, whenFull: 'coalesce' },
    });
    await delivery.accept({ id: 'first', title: 'busy', severity: 'error' });
    await delivery.accept({ id: 'second', title: 'busy', severity: 'error' });
    await delivery.accept(firing('f'));
    const notices = ['r1', 'r2'].map((id) => delivery.notify(resolved(id, { severity: 'critical' })));
    for (let n = 0; n < 10; n++) {
      await turns();
      channel.let();
    }
    expect((await Promise.all(notices)).map(({ status }) => status)).toEqual(['delivered', 'delivered']);
    expect(channel.got.map((alert) => alert.id).slice(2)).toEqual(['f', 'r1', 'r2']);
    expect(delivery.stats()).toMatchObject({ accepted: 5, delivered: 5, pending: 0, lawHolds: true });
  });

  it('never folds a critical firing away, and never lets its resolved notice overtake it [P55]', async () => {
    const channel = slow('a');
    await using delivery = await openDelivery({ chain: [{ channel, concurrency: 1 }], store: memoryStore() });
    await delivery.accept({ id: 'first', title: 'busy', severity: 'error' });
    await delivery.accept(firing('f', { severity: 'critical' }));
    await delivery.accept(resolved('r', { severity: 'critical' }));
    await delivery.accept(firing('g', { dedupKey: 'other' }));
    for (let n = 0; n < 4; n++) {
      await turns();
      channel.let();
    }
    await delivery.flush();
    expect(channel.got.map((alert) => alert.id).filter((id) => id !== 'g')).toEqual(['first', 'f', 'r']);
  });

  it('waits with the resolved notice until a firing that may have been sent has ended [P56]', async () => {
    const channel = slow('a');
    await using delivery = await openDelivery({ chain: [{ channel, concurrency: 5 }], store: memoryStore() });
    await delivery.accept(firing('f'));
    await turns();
    await delivery.accept(resolved('r'));
    await turns();
    expect(channel.got.map((alert) => alert.id)).toEqual(['f']);
    channel.let();
    await turns();
    channel.let();
    await delivery.flush();
    expect(channel.got.map((alert) => alert.id)).toEqual(['f', 'r']);
  });

  it('delivers a resolved notice whose firing is not known, or was forgotten [P57]', async () => {
    const got: string[] = [];
    const channel: Channel = { name: 'a', send: async (alert) => void got.push(alert.id) };
    await using delivery = await openDelivery({
      chain: [{ channel }],
      store: memoryStore(),
      history: { maxEntries: 1 },
    });
    expect(await delivery.notify(resolved('unknown', { dedupKey: 'never seen' }))).toMatchObject({
      status: 'delivered',
    });
    await delivery.notify(firing('f'));
    for (let n = 0; n < 5; n++) await delivery.notify({ id: `n${n}`, title: 't', severity: 'info' });
    expect(await delivery.explain('f')).toBeUndefined();
    expect(await delivery.notify(resolved('r'))).toMatchObject({ status: 'delivered' });
    expect(got).toContain('r');
  });

  it('sends a digest that carries a resolved notice also where the firing went [P58]', async () => {
    const clock = manualClock();
    let down = true;
    const got: Record<string, StoredAlert[]> = { a: [], b: [] };
    const named = (name: string): Channel => ({
      name,
      async send(alert) {
        if (name === 'a' && down) throw new Error('down');
        got[name]!.push(alert);
      },
    });
    await using delivery = await openDelivery({
      chain: [{ channel: named('a'), retries: 0, breaker: false }, { channel: named('b') }],
      store: memoryStore(),
      clock,
      group: { windowMs: 1000 },
    });
    const first = delivery.notify(firing('f'));
    await clock.advance(1000);
    expect(await first).toMatchObject({ channel: 'b' });
    down = false;
    const both = [delivery.notify(resolved('r1')), delivery.notify(resolved('r2'))];
    await clock.advance(1000);
    await Promise.all(both);
    expect(got.a!.map((alert) => alert.digest?.ids)).toEqual([['r1', 'r2']]);
    expect(got.b!.map((alert) => alert.digest?.ids ?? alert.id)).toEqual(['f', ['r1', 'r2']]);
  });

  it('folds what finds the queue full into one message, keeps room for critical ones, and sends what waits at close [P59]', async () => {
    const channel = slow('a');
    const delivery = await openDelivery({
      chain: [{ channel, concurrency: 1 }],
      store: memoryStore(),
      queue: { max: 2, whenFull: 'coalesce' },
    });
    const outcomes = Array.from({ length: 20 }, (_, n) =>
      delivery.notify({ id: `n${n}`, title: `alert ${n}`, severity: 'warning' }),
    );
    const urgent = delivery.notify({ id: 'urgent', title: 'urgent', severity: 'critical' });
    for (let n = 0; n < 6; n++) {
      await turns();
      channel.let();
    }
    const ended = await Promise.all(outcomes);
    expect(await urgent).toMatchObject({ status: 'delivered' });
    expect(channel.got.length).toBeLessThanOrEqual(5);
    expect(ended.filter((outcome) => outcome.status === 'coalesced').length).toBeGreaterThanOrEqual(17);
    expect(channel.got.find((alert) => alert.id === 'urgent')?.digest).toBeUndefined();
    expect((await delivery.close()).lawHolds).toBe(true);
  });
});
