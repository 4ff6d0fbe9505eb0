import { fileURLToPath } from 'node:url';
import { manualClock } from '@holdfast/clock';
import { type Mongod, needs, runNode, startMongod } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Channel,
  type DeliveryEvent,
  type DeliveryOptions,
  openDelivery,
  type Severity,
} from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** The command line as a process of its own; one that does not end by itself has no code. */
async function command(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  await using child = runNode(CLI, { args, stdin: 'ignore' });
  const tooLate = setTimeout(() => child.signal('SIGKILL'), 40_000);
  const { code } = await child.exited;
  clearTimeout(tooLate);
  return { code, out: child.stdout, err: child.stderr };
}

describe.skipIf(!needs('mongod'))('on MongoDB', () => {
  let mongod: Mongod;
  let databases = 0;
  const fresh = (): string => mongod.uriFor(`d${++databases}`);
  beforeAll(async () => {
    mongod = await startMongod({ replSet: true });
  });
  afterAll(() => mongod.kill());

  it('the command line lists, explains, verifies and re-queues, in a process of its own that ends [P84]', async () => {
    const uri = fresh();
    let down = true;
    const channel: Channel = {
      name: 'a',
      async send() {
        if (down) throw new Error('no such room');
      },
    };
    const options = {
      chain: [{ channel, retries: 0, breaker: false as const }],
      store: mongoStore({ uri, collectionName: 'told' }),
    };
    const filled = await openDelivery(options);
    for (const severity of ['critical', 'info'] as const)
      await filled.notify({ id: `dead-${severity}`, title: 'db-3 \u001b[31mdown', severity });
    down = false;
    await filled.notify({ id: 'fine', title: 't', severity: 'error' });
    await filled.close();
    const run = async (name: string, ...more: string[]): ReturnType<typeof command> =>
      await command(name, uri, ...more, '--collection', 'told');

    const [listed, json, dry, verified, explained, unknown, elsewhere, unreachable] = await Promise.all([
      run('list', '--severity', 'critical'),
      run('list', '--json'),
      run('replay', '--dry-run'),
      run('verify'),
      run('explain', 'dead-info'),
      run('explain', 'nobody'),
      command('list', uri, '--collection', 'another'),
      command('list', 'mongodb://u:s3cret@127.0.0.1:1/d'),
    ]);
    expect(listed).toMatchObject({ code: 0, err: '' });
    expect(listed.out).toMatch(/^\S+Z critical exhausted after 1 attempts: dead-critical db-3 {2}?\[31mdown\n$/);
    expect(
      json.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { id: 'dead-critical', reason: 'exhausted', alert: { severity: 'critical' } },
      { id: 'dead-info', reason: 'exhausted', alert: { severity: 'info' } },
    ]);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.out).toContain('2 of 2 dead letters would be queued');
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.out).toMatch(
      /accepted 3 = delivered 1 .* dead 2 \+ pending 0 .*: holds\n3 records checked, 0 problems/,
    );
    expect(explained).toMatchObject({ code: 0 });
    expect(explained.out).toMatch(/^dead-info: dead, info, .*\n.* accepted\n(?:.*\n)*.*no such room.*\n/);
    expect(unknown).toMatchObject({ code: 1, out: 'there is no alert nobody\n' });
    expect(elsewhere).toMatchObject({ code: 0, out: '' });
    expect(unreachable).toMatchObject({ code: 2, out: '' });
    expect(unreachable.err).not.toContain('s3cret');

    const replayed = await run('replay', '--id', 'dead-info');
    expect(replayed).toMatchObject({ code: 0, out: 'queued: dead-info\n1 of 1 dead letters queued\n' });
    await using second = await openDelivery(options);
    expect(await second.notify({ id: 'dead-info', title: 't', severity: 'info' })).toMatchObject({
      status: 'delivered',
    });
    await second.flush();
    expect(second.stats()).toMatchObject({ accepted: 3, delivered: 2, dead: 1, lawHolds: true });

    await using client = await new MongoClient(uri).connect();
    await client
      .db()
      .collection('told')
      .updateOne({ s: 'dead' }, { $unset: { alert: 1 } });
    const damaged = await run('verify');
    expect(damaged).toMatchObject({ code: 1 });
    expect(damaged.out).toContain('dead-critical');
  });

  const dead = async (
    bounds: { maxEntries?: number; maxBytes?: number },
    severities: readonly Severity[],
  ): Promise<{ left: string[]; evicted: string[]; delivery: Awaited<ReturnType<typeof openDelivery>> }> => {
    // Each dies in a moment of its own, and the bounds are kept when `flush` says so.
    const clock = manualClock();
    const events: DeliveryEvent[] = [];
    const delivery = await openDelivery({
      chain: () => [],
      store: mongoStore({ uri: fresh() }),
      deadLetters: bounds,
      onEvent: (event) => events.push(event),
      clock,
    });
    for (const [n, severity] of severities.entries()) {
      await delivery.notify({ id: `${severity}-${n}`, title: 't'.repeat(500), severity });
      clock.jumpWall(1);
    }
    await delivery.flush();
    const left: string[] = [];
    for await (const { id } of delivery.dead()) left.push(id);
    const evicted = events.flatMap((event) =>
      event.type === 'dead-letter.evicted' ? [`${event.id} ${event.why}`] : [],
    );
    return { left, evicted, delivery };
  };

  it('dead letters go by count or bytes, lowest severity and oldest first, each counted, told, summed up and still known [P85]', async () => {
    const order = ['critical', 'info', 'error', 'info', 'warning', 'critical'] as const;
    const { left, evicted, delivery } = await dead({ maxEntries: 3 }, order);
    expect(left).toEqual(['critical-0', 'error-2', 'critical-5']);
    expect(evicted.toSorted()).toEqual(['info-1 count', 'info-3 count', 'warning-4 count']);
    const stats = delivery.stats();
    expect(stats).toMatchObject({ accepted: 6, dead: 3, evicted: 3, lawHolds: true });
    expect(stats.evictions?.bySeverity).toEqual({ info: 2, warning: 1 });
    expect((await delivery.accept({ id: 'info-1', title: 't', severity: 'info' })).duplicate).toBe(true);
    expect(await delivery.explain('info-1')).toMatchObject({ status: 'dead' });
    await delivery.close();

    const small = await dead({ maxBytes: 2200 }, ['info', 'critical', 'info', 'critical', 'info']);
    expect(small.left).toEqual(['critical-1', 'critical-3', 'info-4'].slice(0, small.left.length));
    expect(small.left.length).toBeGreaterThan(1);
    expect(small.evicted).toHaveLength(5 - small.left.length);
    expect(small.evicted).toEqual(expect.arrayContaining(['info-0 bytes', 'info-2 bytes']));
    expect(small.delivery.stats()).toMatchObject({ accepted: 5, dead: small.left.length, lawHolds: true });
    await small.delivery.close();
  });

  for (const what of ['dead', 'delivered'] as const)
    it(`two instances that keep a bound at the same time drop no more than one does, of what is ${what} [P89]`, async () => {
      await using client = await new MongoClient(fresh()).connect();
      const alerts = client.db().collection('shared');
      let between: (() => Promise<void>) | undefined;
      // As `alerts`, but for what happens between the count of this instance and its choice.
      const slow = new Proxy(alerts, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if (name !== 'aggregate') return value.bind(target) as unknown;
          return (...args: Parameters<typeof alerts.aggregate>) => ({
            async toArray() {
              const rows = await target.aggregate(...args).toArray();
              const once = between;
              between = undefined;
              await once?.();
              return rows;
            },
          });
        },
      });
      const evicted: string[] = [];
      const fine: Channel = { name: 'a', send: async () => undefined };
      const options = (collection: typeof alerts): DeliveryOptions => ({
        chain: () => (what === 'dead' ? [] : [{ channel: fine }]),
        store: mongoStore({ collection }),
        deadLetters: { maxEntries: 3 },
        history: { maxEntries: 3 },
        clock: manualClock(),
        onEvent: (event) => {
          if (event.type === 'dead-letter.evicted') evicted.push(event.id);
        },
      });
      await using first = await openDelivery(options(alerts));
      await using second = await openDelivery(options(slow));
      for (const id of ['a', 'b', 'c', 'd', 'e']) await first.notify({ id, title: 't', severity: 'error' });
      let met = 0;
      between = async () => {
        met++;
        await first.flush();
      };
      await second.flush();
      await first.flush();
      expect(met).toBe(1);
      expect(await alerts.countDocuments({ s: what })).toBe(3);
      expect(evicted).toHaveLength(what === 'dead' ? 2 : 0);
      const counts = what === 'dead' ? { dead: 3, evicted: 2 } : { delivered: 5, dead: 0 };
      for (const each of [first, second])
        expect(each.stats()).toMatchObject({ accepted: 5, ...counts, lawHolds: true });
    });
});
