import { manualClock } from '@holdfast/clock';
import { eventually, needs, startMongod, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import {
  type Channel,
  ChannelError,
  type DeliveryEvent,
  fileStore,
  openDelivery,
  type StoreDriver,
} from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { memoryStore } from '../../src/testing.js';

const alert = { title: 't', severity: 'error' } as const;

/** A provider that asks once for a minute's pause, and is asked again by the next process. */
async function asksForAMinute(store: () => StoreDriver, saved: () => Promise<unknown>): Promise<void> {
  let sent = 0;
  const channel: Channel = {
    name: 'a',
    async send() {
      sent++;
      throw new ChannelError('slow down', { kind: 'throttled', retryAfterMs: 60_000 });
    },
  };
  const options = { chain: [{ channel }], deadlineMs: 20_000 };
  const before = await openDelivery({ ...options, store: store() });
  expect(await before.notify(alert)).toMatchObject({ status: 'dead', reason: 'throttled' });
  await saved();
  await before.close();
  await using after = await openDelivery({ ...options, store: store() });
  expect(after.stats().channels.a?.throttledMs).toBeGreaterThan(0);
  expect(await after.notify(alert)).toMatchObject({ status: 'dead', reason: 'throttled', attempts: [] });
  expect(sent).toBe(1);
}

describe('what a provider asked for', () => {
  it('holds after a restart, from the file store [P79]', async () => {
    await using dir = await tempDir();
    await asksForAMinute(
      () => fileStore({ dir: dir.path }),
      async () => undefined,
    );
  });

  it.skipIf(!needs('mongod'))('holds after a restart, from MongoDB [P79]', async () => {
    const mongod = await startMongod({ replSet: true });
    try {
      const uri = mongod.uriFor('gates');
      const { MongoClient } = await import('mongodb');
      await using client = new MongoClient(uri);
      await asksForAMinute(
        () => mongoStore({ uri }),
        () =>
          eventually(
            async () => (await client.db().collection('alert_delivery_meta').countDocuments({ kind: 'channel' })) === 1,
          ),
      );
    } finally {
      await mongod.kill();
    }
  });
});

describe('a channel with a rate', () => {
  it('gets no more attempts a second than it may, whoever waits [P80]', async () => {
    const clock = manualClock();
    const at: number[] = [];
    const channel: Channel = { name: 'a', send: async () => void at.push(clock.monotonic()) };
    await using delivery = await openDelivery({ chain: [{ channel, perSecond: 4 }], store: memoryStore(), clock });
    const all = [1, 2, 3, 4, 5].map((n) => delivery.notify({ ...alert, title: `alert ${n}` }));
    await clock.advance(2000);
    expect((await Promise.all(all)).every(({ status }) => status === 'delivered')).toBe(true);
    expect(at).toEqual([0, 250, 500, 750, 1000]);
  });
});

describe('the dead-man switch', () => {
  it('keeps silent while the store fails, and says so [P81]', async () => {
    const clock = manualClock();
    const events: DeliveryEvent['type'][] = [];
    const inner = memoryStore();
    const store: StoreDriver = {
      kind: 'memory',
      open: async (context) =>
        Object.defineProperty(await inner.open(context), 'failure', { value: new Error('the disk is gone') }),
    };
    await using delivery = await openDelivery({
      chain: [{ channel: { name: 'a', send: async () => undefined } }],
      store,
      clock,
      heartbeat: { url: 'http://127.0.0.1:1/beat', everyMs: 1000 },
      onEvent: ({ type }) => events.push(type),
    });
    await clock.advance(2000);
    expect(delivery.stats().heartbeats).toEqual({ sent: 0, failed: 0, withheld: 3 });
    expect(events.filter((type) => type === 'heartbeat.withheld')).toHaveLength(3);
  });
});

describe('a second copy of an alert that can not be stored', () => {
  it('is told nothing before a channel took the first, and is refused with it [P82]', async () => {
    for (const works of [true, false]) {
      const inner = memoryStore();
      const store: StoreDriver = {
        kind: 'memory',
        open: async (context) =>
          Object.assign(await inner.open(context), { accept: () => Promise.reject(new Error('ENOSPC')) }),
      };
      let answer: (() => void) | undefined;
      const channel: Channel = {
        name: 'a',
        send: () =>
          new Promise((resolve, reject) => {
            answer = () => (works ? resolve(undefined) : reject(new Error('down')));
          }),
      };
      await using delivery = await openDelivery({ chain: [{ channel, retries: 0, breaker: false }], store });
      const told: string[] = [];
      const copy = (name: string): Promise<void> =>
        delivery.accept({ ...alert, id: 'x' }).then(
          () => void told.push(`${name} accepted`),
          () => void told.push(`${name} refused`),
        );
      const first = copy('first');
      await expect.poll(() => answer).toBeDefined();
      const second = copy('second');
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve));
      expect(told).toEqual([]);
      answer!();
      await Promise.all([first, second]);
      expect(told.toSorted()).toEqual(
        works ? ['first accepted', 'second accepted'] : ['first refused', 'second refused'],
      );
    }
  });
});
