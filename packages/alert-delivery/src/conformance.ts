import { strict as assert } from 'node:assert';
import type { Channel } from './channel.js';
import type { Delivery } from './contract.js';
import { openDelivery } from './delivery.js';
import type { DeliveryOptions } from './options.js';
import type { StoreDriver } from './store.js';

/** One promise that every store keeps. `make` gives a driver over a fresh, empty place each time it is called for a case. */
export interface ConformanceCase {
  readonly name: string;
  run(make: () => Promise<StoreDriver> | StoreDriver): Promise<void>;
}

/** A channel that remembers what it got and fails as it is told. */
function recorder(name: string, fail: () => boolean = () => false): Channel & { readonly got: string[] } {
  const got: string[] = [];
  return {
    name,
    got,
    async send(alert) {
      if (fail()) throw new Error('down');
      got.push(alert.id);
    },
  };
}

async function withDelivery(options: DeliveryOptions, use: (delivery: Delivery) => Promise<void>): Promise<void> {
  const delivery = await openDelivery(options);
  try {
    await use(delivery);
  } finally {
    await delivery.close({ timeoutMs: 2000 });
  }
}

/** The promises of a store, free of any test runner: run each with your driver. */
export const storeConformance: readonly ConformanceCase[] = [
  {
    name: 'accepts one id once, however many ask at once',
    async run(make) {
      const channel = recorder('a');
      await withDelivery({ chain: [{ channel }], store: await make() }, async (delivery) => {
        const alert = { id: 'one', title: 'disk full', severity: 'error' } as const;
        const answers = await Promise.all(Array.from({ length: 10 }, () => delivery.accept(alert)));
        await delivery.flush();
        assert.equal(answers.filter((answer) => !answer.duplicate).length, 1);
        assert.deepEqual(channel.got, ['one']);
        assert.equal((await delivery.accept(alert)).duplicate, true);
      });
    },
  },
  {
    name: 'escalates, and tells the timeline',
    async run(make) {
      const first = recorder('a', () => true);
      const second = recorder('b');
      await withDelivery(
        { chain: [{ channel: first, retries: 0 }, { channel: second }], store: await make() },
        async (delivery) => {
          const outcome = await delivery.notify({
            id: 'x',
            title: 'disk full',
            severity: 'error',
            data: { host: 'db-3' },
          });
          assert.equal(outcome.status, 'delivered');
          assert.equal(outcome.status === 'delivered' && outcome.channel, 'b');
          const timeline = await delivery.explain('x');
          assert.equal(timeline?.status, 'delivered');
          assert.deepEqual(timeline?.alert?.data, { host: 'db-3' });
          assert.ok(timeline?.events.some((event) => event.type === 'escalated'));
          const recent: string[] = [];
          for await (const entry of delivery.recent()) recent.push(`${entry.id} ${entry.status}`);
          assert.deepEqual(recent, ['x delivered']);
        },
      );
    },
  },
  {
    name: 'keeps a dead letter whole and replays it once',
    async run(make) {
      let down = true;
      const channel = recorder('a', () => down);
      await withDelivery(
        { chain: [{ channel, retries: 0, breaker: false }], store: await make() },
        async (delivery) => {
          const alert = {
            id: 'x',
            title: 'disk full',
            severity: 'critical',
            body: 'on db-3',
            data: { labels: { job: 'node' } },
          } as const;
          assert.equal((await delivery.notify(alert)).status, 'dead');
          const letters = [];
          for await (const letter of delivery.dead()) letters.push(letter);
          assert.equal(letters.length, 1);
          assert.deepEqual(letters[0]?.alert, alert);
          assert.equal(letters[0]?.attempts.length, 1);
          const failing = [];
          for await (const outcome of delivery.replay()) failing.push(outcome.status);
          assert.deepEqual(failing, ['dead']);
          assert.equal(delivery.stats().dead, 1);
          down = false;
          const replayed = [];
          for await (const outcome of delivery.replay({ ids: ['x'] })) replayed.push(outcome.status);
          assert.deepEqual(replayed, ['delivered']);
          const { accepted, delivered, dead, pending, lawHolds } = delivery.stats();
          assert.deepEqual(
            { accepted, delivered, dead, pending, lawHolds },
            { accepted: 1, delivered: 1, dead: 0, pending: 0, lawHolds: true },
          );
        },
      );
    },
  },
  {
    name: 'sends a resolved notice also where the firing went',
    async run(make) {
      let down = true;
      const first = recorder('a', () => down);
      const second = recorder('b');
      await withDelivery(
        { chain: [{ channel: first, retries: 0 }, { channel: second }], store: await make() },
        async (delivery) => {
          await delivery.notify({ id: 'f', title: 'disk full', severity: 'error', status: 'firing', dedupKey: 'disk' });
          down = false;
          await delivery.notify({
            id: 'r',
            title: 'disk full',
            severity: 'error',
            status: 'resolved',
            dedupKey: 'disk',
          });
          assert.deepEqual(first.got, ['r']);
          assert.deepEqual(second.got, ['f', 'r']);
        },
      );
    },
  },
];
