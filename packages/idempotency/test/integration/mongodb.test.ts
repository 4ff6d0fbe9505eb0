import { systemClock } from '@holdfast/clock';
import { eventually, needs, startMongod, startReplicaSet, tcpProxy } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClaimRequest, decideClaim, type KeyRecord } from '../../src/decide.js';
import { createIdempotency, isIdempotencyError } from '../../src/index.js';
import { type KeyDocument, MongoPart } from '../../src/mongo-part.js';
import { mongoStore } from '../../src/mongodb.js';
import { encodeValue } from '../../src/value.js';
import { startRacers } from '../fixtures/racers.js';

describe.skipIf(!needs('mongod'))('mongoStore', () => {
  let mongod: Awaited<ReturnType<typeof startMongod>>;
  let client: MongoClient;
  beforeAll(async () => {
    mongod = await startMongod({ replSet: true });
    client = await new MongoClient(mongod.uriFor('idem')).connect();
  });
  afterAll(async () => {
    await client?.close();
    await mongod?.[Symbol.asyncDispose]();
  });
  const make = (more = {}) => createIdempotency({ store: mongoStore({ uri: mongod.uriFor('idem') }), ...more });
  const deadline = { signal: new AbortController().signal };

  it('decides each claim as decideClaim does, over random records [P29]', async () => {
    const keys = client.db().collection<KeyDocument>('random');
    const part = new MongoPart(keys, '', undefined);
    let seed = 20261124;
    const chance = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)]!;
    const verdicts = new Map<string, number>();
    for (let at = 0; at < 400; at++) {
      const now = Date.now();
      // Far from any border, so that the milliseconds until the server looks don't matter.
      const time = (): number => now + pick([-7_200_000, -600_000, -60_000, 3_600_000]);
      const lane = pick([true, false]);
      const delivered = (state: string) => ({
        state,
        at: now - pick([60_000, 600_000, 7_200_000]),
        settledAt: now - 30_000,
        attempt: 1,
        value: '"v"',
        ...(lane && { sender: pick(['a', 'b']), repeat: pick([true, false]) }),
      });
      const record: KeyRecord | undefined = pick([true, true, true, false])
        ? {
            run: pick([true, false])
              ? {
                  state: pick(['s1', 's2', '']),
                  id: 'old',
                  token: pick(['t', 'other']),
                  attempt: 2,
                  claimedAt: now - 60_000,
                  until: pick([0, time()]),
                  steps: [['one', '1']],
                  ...(lane && { lane: { sender: 'a', repeat: false } }),
                }
              : undefined,
            last: pick([true, true, false]) ? delivered(pick(['s1', 's2', ''])) : undefined,
            older: lane && pick([true, false]) ? [delivered('s1'), delivered('s3')] : undefined,
            expiresAt: pick([now - 60_000, now + 7_200_000, now + 7_200_000]),
          }
        : undefined;
      const request: ClaimRequest = {
        token: 't',
        id: 'new',
        state: pick(['s1', 's2', 's3', '']),
        lane: lane
          ? {
              windowMs: 300_000,
              late: pick([undefined, { ms: 300_000, sender: 'a' }]),
              repeat: pick([undefined, undefined, { ms: 300_000 }]),
            }
          : undefined,
        leaseMs: 30_000,
        keepMs: 60_000,
      };
      if (record) {
        const stored = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
        await keys.insertOne({ _id: `k${at}`, exp: new Date(record.expiresAt + 86_400_000), ...stored } as KeyDocument);
      }
      const expected = decideClaim(record, request, now);
      const got = await part.claim(`k${at}`, request, deadline);
      expect({ at, verdict: got.verdict }).toEqual({ at, verdict: expected.verdict });
      if (expected.verdict === 'mine' && got.verdict === 'mine') {
        expect({ id: got.id, attempt: got.attempt, steps: got.steps }).toEqual({
          id: expected.id,
          attempt: expected.attempt,
          steps: expected.steps,
        });
        if (record?.run?.token !== 't' || record.run.until <= now) expect(got.reason).toBe(expected.reason);
      }
      if (expected.verdict === 'done' && got.verdict === 'done') expect(got.reason).toBe(expected.reason);
      verdicts.set(got.verdict, (verdicts.get(got.verdict) ?? 0) + 1);
    }
    expect([...verdicts.keys()].sort()).toEqual(['busy', 'done', 'mine', 'reused']);
  });

  it('runs once for 4 x 250 duplicates of four processes, plain and in a lane, and gives everybody the answer [P30]', async () => {
    await using racers = await startRacers(mongod.uriFor('idem'), 4, 30_000);
    for (const state of [undefined, 'firing'])
      expect(await racers.race({ key: `race ${state}`, state, calls: 250, workMs: 100 })).toEqual([]);
  });

  it('is taken over once, after the lease, when the owner is killed with -9 [P55]', async () => {
    await using racers = await startRacers(mongod.uriFor('idem'), 3, 1_500);
    expect(await racers.killOwner({ key: 'kill', calls: 20, workMs: 300 }, 1_500)).toEqual([]);
  });

  it('takes over from a dead owner with attempt 2, its id and its steps; the late owner is refused [P31]', async () => {
    const keys = client.db().collection<KeyDocument>('idempotency');
    await using second = make();
    const part = new MongoPart(keys, '7:default', undefined);
    const request = { token: 'dead', id: 'the id', state: '', lane: undefined, leaseMs: 300, keepMs: 60_000 };
    expect(await part.claim('taken', request, deadline)).toMatchObject({ verdict: 'mine', attempt: 1 });
    expect(await part.step('taken', 'dead', 'one', encodeValue('done'), deadline)).toBe(true);
    const seen: unknown[] = [];
    await second.run('taken', async (op) => {
      seen.push(op.attempt, op.id, await op.step('one', () => 'again'));
      return 1;
    });
    expect(seen).toEqual([2, 'the id', 'done']);
    for (const refused of [
      part.settle('taken', 'dead', '2', 1_000, deadline),
      part.renew('taken', 'dead', 1_000, 1_000, deadline),
      part.release('taken', 'dead', 1_000, deadline),
      part.step('taken', 'dead', 'two', '2', deadline),
    ])
      expect(await refused).toBe(false);
    expect(await second.run('taken', () => 3)).toBe(1);
  });

  it('keeps id and steps over a failure, and forgets on request [P32]', async () => {
    await using idempotency = make();
    let steps = 0;
    const work = (fail: boolean) =>
      idempotency.run('failing', async (op) => {
        await op.step('one', () => ++steps);
        if (fail) throw new Error('no');
        return [op.attempt, steps];
      });
    await expect(work(true)).rejects.toThrow('no');
    expect(await work(false)).toEqual([2, 1]);
    expect(await idempotency.peek('failing')).toMatchObject({ status: 'settled', attempt: 2 });
    expect(await idempotency.forget('failing')).toBe(true);
    expect(await work(false)).toEqual([1, 2]);
  });

  it('needs one round trip to claim, one to settle, one to replay [P36]', async () => {
    const counted = await new MongoClient(mongod.uriFor('idem'), { monitorCommands: true }).connect();
    await using idempotency = createIdempotency({ store: mongoStore({ client: counted, dbName: 'idem' }) });
    await idempotency.ready();
    const sent: string[] = [];
    counted.on('commandStarted', ({ commandName }) => sent.push(commandName));
    await idempotency.run('counted', () => 1);
    expect(sent).toEqual(['findAndModify', 'update']);
    await idempotency.run('counted', () => 2);
    expect(sent).toEqual(['findAndModify', 'update', 'findAndModify']);
    await idempotency.close();
    // A client that was given is not closed.
    expect(await counted.db('idem').command({ ping: 1 })).toMatchObject({ ok: 1 });
    await counted.close();
  });

  it('takes values that look like operators for what they are [P33]', async () => {
    await using idempotency = make();
    const key = ['$run', '{"$set":1}', '$$NOW'];
    const value = { $set: { a: '$last' }, 'a.b': '$$NOW' };
    expect(await idempotency.run(key, () => value, { fingerprint: '$last.state' })).toEqual(value);
    expect(await idempotency.run(key, () => 0, { fingerprint: '$last.state' })).toEqual(value);
  });

  it('claims and settles although the first answer is cut, and runs once [P34]', async () => {
    await using proxy = await tcpProxy(mongod.port);
    const uri = mongod.uriFor('idem').replace(String(mongod.port), String(proxy.port));
    await using idempotency = createIdempotency({
      store: mongoStore({ uri: `${uri}${uri.includes('?') ? '&' : '?'}directConnection=true` }),
    });
    await idempotency.ready();
    let runs = 0;
    proxy.cutNextReply(1, (sent) => sent.includes('findAndModify'));
    expect(await idempotency.run('cut', () => ++runs)).toBe(1);
    expect(await idempotency.run('cut', () => ++runs)).toBe(1);
    expect(proxy.cuts).toBe(1);
  });

  it('rejects ready() when the database can not be reached, without the password [P35]', async () => {
    const uri = 'mongodb://user:hunter2@127.0.0.1:9/x';
    await using idempotency = createIdempotency({ store: mongoStore({ uri }), storeTimeoutMs: 300 });
    const error = await idempotency.ready().catch((thrown: unknown) => thrown);
    expect(isIdempotencyError(error, 'IDEMPOTENCY_STORE_FAILED')).toBe(true);
    expect(String(error)).not.toContain('hunter2');
  });

  it('claims what has expired although nobody has swept it [P84]', async () => {
    await using idempotency = make();
    expect(await idempotency.run('unswept', () => 1, { ttlMs: 50 })).toBe(1);
    await eventually(async () => (await idempotency.peek('unswept')) === undefined);
    expect(
      await client
        .db()
        .collection('idempotency')
        .countDocuments({ _id: /unswept/ as never }),
    ).toBe(1);
    expect(await idempotency.execute('unswept', (op) => op.attempt)).toMatchObject({ value: 1, via: 'ran' });
  });

  it('counts on the server alone: callers whose clocks are years apart agree [P69]', async () => {
    const skewed = (ms: number) => ({ clock: { ...systemClock, now: () => Date.now() + ms }, waitMs: false as const });
    await using past = make(skewed(-3e10));
    await using future = make(skewed(3e10));
    let end = (): void => undefined;
    let first: Promise<unknown> | undefined;
    await new Promise<void>((started) => {
      first = past.run('skewed', () => {
        started();
        return new Promise<string>((resolve) => (end = () => resolve('by the past')));
      });
    });
    await expect(future.run('skewed', () => 'stolen')).rejects.toMatchObject({ code: 'IDEMPOTENCY_BUSY' });
    end();
    await first;
    expect(await future.run('skewed', () => 'again')).toBe('by the past');
  });

  it('refuses a result that no document can hold, and frees the key [P71]', async () => {
    await using idempotency = make();
    const huge = () => 'x'.repeat(15 * 1024 * 1024 + 1);
    await expect(idempotency.run('huge', huge)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_VALUE' });
    expect(await idempotency.run('huge', () => 'small')).toBe('small');
  });

  it('is opened by many at once, and sets an index right that sweeps at another time [P72]', async () => {
    const keys = client.db('indexes').collection('idempotency');
    await keys.createIndex({ exp: 1 }, { expireAfterSeconds: 60 });
    const store = () => mongoStore({ client, dbName: 'indexes' });
    const instances = Array.from({ length: 8 }, () => createIdempotency({ store: store() }));
    await Promise.all(instances.map((instance) => instance.ready()));
    const indexes = await keys.indexes();
    expect(indexes.find(({ name }) => name === 'exp_1')).toMatchObject({ expireAfterSeconds: 0 });
    await Promise.all(instances.map((instance) => instance.close()));
  });

  it('reports no error when two clients race 500 claims of one key [P85]', async () => {
    const second = await new MongoClient(mongod.uriFor('idem')).connect();
    const parts = [client, second].map(
      (each) => new MongoPart(each.db('race').collection<KeyDocument>('keys'), '', undefined),
    );
    const claims = await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        parts[n % 2]!.claim(
          'one',
          { token: `t${n}`, id: `i${n}`, state: '', lane: undefined, leaseMs: 60_000, keepMs: 60_000 },
          { signal: new AbortController().signal },
        ),
      ),
    );
    expect(claims.filter(({ verdict }) => verdict === 'mine')).toHaveLength(1);
    expect(claims.filter(({ verdict }) => verdict === 'busy')).toHaveLength(499);
    await second.close();
  });
});

describe.skipIf(!needs('mongod'))('mongoStore on a replica set', () => {
  it('keeps the lease over a stepdown between claim and settle: no second run, and the owner settles [P70]', async () => {
    await using set = await startReplicaSet();
    const make = () => createIdempotency({ store: mongoStore({ uri: set.uriFor('idem') }), storeTimeoutMs: 20_000 });
    await using owner = make();
    await using other = make();
    await Promise.all([owner.ready(), other.ready()]);
    let runs = 0;
    const first = owner.run('stepdown', async (op) => {
      runs++;
      await op.step('before', () => 1);
      await set.stepDown();
      return 'by the owner';
    });
    await eventually(() => runs === 1);
    const second = other.execute('stepdown', () => ++runs);
    expect(await first).toBe('by the owner');
    expect(await second).toMatchObject({ value: 'by the owner', via: 'joined' });
    expect(runs).toBe(1);
  });
});
