import { type Mongod, needs, startMongod } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Channel, isDeliveryError, openDelivery } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { storeConformance } from '../../src/testing.js';

describe('mongoStore', () => {
  it('refuses an unreachable database at start, without showing its password [P9]', async () => {
    const store = mongoStore({ uri: 'mongodb://u:s3cret@127.0.0.1:1/x' });
    const error: unknown = await openDelivery({
      chain: [{ channel: { name: 'a', send: async () => undefined } }],
      store,
      startTimeoutMs: 500,
    }).catch((e: unknown) => e);
    expect(isDeliveryError(error, 'DELIVERY_STORE_FAILED') && error.kind).toBe('unreachable');
    expect(String((error as Error).message)).not.toContain('s3cret');
  });
});

describe.skipIf(!needs('mongod'))('mongoStore on a server', () => {
  let mongod: Mongod;
  let databases = 0;
  const fresh = (): string => mongod.uriFor(`d${++databases}`);
  beforeAll(async () => {
    mongod = await startMongod({ replSet: true });
  });
  afterAll(() => mongod.kill());

  for (const { name, run } of storeConformance) it(`${name} [P1]`, () => run(() => mongoStore({ uri: fresh() })));

  it('lets another instance finish what a dead one left, and refuses the late one [P10]', async () => {
    const uri = fresh();
    let answer: (() => void) | undefined;
    const got: [string, boolean][] = [];
    const hangs: Channel = { name: 'a', send: () => new Promise((resolve) => (answer = () => resolve(undefined))) };
    const works: Channel = {
      name: 'a',
      async send(alert, { maybeRepeat }) {
        got.push([alert.id, maybeRepeat]);
      },
    };
    // No poll of its own while the clock stands still for it: as good as stopped.
    const { manualClock } = await import('@holdfast/clock');
    const stopped = manualClock(Date.now());
    const first = await openDelivery({
      chain: [{ channel: hangs, timeoutMs: 1e6 }],
      store: mongoStore({ uri, leaseMs: 1000 }),
      clock: stopped,
      deadlineMs: 1e6,
    });
    await first.accept({ id: 'x', title: 't', severity: 'error' });
    await using second = await openDelivery({ chain: [{ channel: works }], store: mongoStore({ uri, leaseMs: 1000 }) });
    const outcome = await second.notify({ id: 'x', title: 't', severity: 'error' });
    expect(outcome).toMatchObject({ status: 'delivered', channel: 'a' });
    expect(got).toEqual([['x', true]]);
    const late = first.flush();
    answer?.();
    await late;
    await second.flush();
    expect(second.stats()).toMatchObject({ accepted: 1, delivered: 1, pending: 0, lawHolds: true });
    await first.close();
  });

  it('sends an alert that the database can not take, and says that it is not durable [P11]', async () => {
    await using other = await startMongod({ replSet: true });
    const got: string[] = [];
    let down = false;
    const channel: Channel = {
      name: 'a',
      async send(alert) {
        if (down) throw new Error('down');
        got.push(alert.id);
      },
    };
    const delivery = await openDelivery({
      chain: [{ channel, retries: 0 }],
      store: mongoStore({ uri: other.uriFor('d') }),
      startTimeoutMs: 2000,
    });
    await other.kill();
    expect(await delivery.notify({ id: 'x', title: 'database down', severity: 'critical' })).toMatchObject({
      status: 'delivered',
      durable: false,
    });
    down = true;
    const error: unknown = await delivery
      .accept({ id: 'y', title: 'database down', severity: 'critical' })
      .catch((e: unknown) => e);
    expect(isDeliveryError(error, 'DELIVERY_STORE_FAILED')).toBe(true);
    expect(got).toEqual(['x']);
    await delivery.close({ timeoutMs: 100 });
  });
});
