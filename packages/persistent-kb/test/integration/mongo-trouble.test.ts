import { eventually, freePort, needs, startMongod, tcpProxy } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type KbEvent, openKb } from '../../src/index.js';
import type { KbDocument } from '../../src/mongo-document.js';
import { mongoStore } from '../../src/mongodb.js';

describe('mongoStore start', () => {
  it('[P15] rejects with a kind of its own and without the password', async () => {
    const port = await freePort();
    const cases = [
      [`mongodb://u:s3cret@127.0.0.1:${port}/kb`, 'unreachable'],
      ['mongodb://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb+srv://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb://u:s3cret@127.0.0.1/kb?nonsense=1', 'bad-uri'],
    ] as const;
    for (const [uri, kind] of cases) {
      const error = await openKb({ store: mongoStore({ uri }), startTimeoutMs: 1_000 }).catch((reason) => reason);
      expect(error).toMatchObject({ code: 'KB_START', kind });
      expect(`${error.stack}${error.cause?.stack}`).not.toContain('s3cret');
    }
  });

  it.skipIf(!needs('mongod'))('[P15] tells wrong credentials from missing ones', async () => {
    await using mongod = await startMongod({ auth: true });
    const wrong = mongod.uriFor('kb').replace('pass%2Fword', 's3cret');
    await expect(openKb({ store: mongoStore({ uri: wrong }) })).rejects.toMatchObject({ kind: 'auth' });
    const none = mongod.uriFor('kb').replace(/root:[^@]*@/, '');
    await expect(openKb({ store: mongoStore({ uri: none }) })).rejects.toMatchObject({ kind: 'forbidden' });
  });
});

describe.skipIf(!needs('mongod')).concurrent('mongoStore in trouble', () => {
  it('[P16] settles a write whose reply was cut by its operation id, once', async () => {
    await using mongod = await startMongod({ replSet: false });
    await using proxy = await tcpProxy(mongod.port);
    const events: KbEvent[] = [];
    const uri = `mongodb://127.0.0.1:${proxy.port}/kb?directConnection=true&retryWrites=false`;
    await using kb = await openKb({ store: mongoStore({ uri }), onEvent: (event) => events.push(event) });
    for (let n = 1; n <= 3; n++) {
      proxy.cutNextReply(1, (sent) => sent.includes('trouble'));
      expect((await kb.put({ id: 'trouble', title: `put ${n}` })).rev).toBe(n);
      expect(proxy.cuts).toBe(n);
    }
    const settled = events.filter((event) => event.type === 'kb.outcome-settled');
    expect(settled.map((event) => event.status)).toEqual(['written', 'written', 'written']);
    expect(kb.stats()).toMatchObject({ inDoubt: 0, entries: 1 });
  });

  for (const cuts of [1, 2]) {
    it(`[P16] settles a write on a replica set whose reply was cut ${cuts === 1 ? 'once' : 'twice, also in a bulk'}`, async () => {
      await using mongod = await startMongod({ replSet: true });
      await using proxy = await tcpProxy(mongod.port);
      const events: KbEvent[] = [];
      const uri = `mongodb://127.0.0.1:${proxy.port}/kb?directConnection=true`;
      await using kb = await openKb({ store: mongoStore({ uri }), onEvent: (event) => events.push(event) });
      for (let n = 1; n <= 2; n++) {
        proxy.cutNextReply(cuts, (sent) => sent.includes('trouble'));
        expect((await kb.put({ id: 'trouble', title: `put ${n}` })).rev).toBe(n);
      }
      proxy.cutNextReply(cuts, (sent) => sent.includes('bulk-1'));
      const ids = ['bulk-1', 'bulk-2', 'bulk-3'];
      const stored = await Promise.all(ids.map((id) => kb.put({ id, title: 'x' })));
      expect(stored.map(({ rev }) => rev)).toEqual([1, 1, 1]);
      expect(proxy.cuts).toBe(3 * cuts);
      const settled = events.flatMap((event) => (event.type === 'kb.outcome-settled' ? [event.status] : []));
      // One cut is the driver's own to retry; nobody is told.
      expect(settled.filter((status) => status !== 'written')).toEqual([]);
      const doubted = events.flatMap((event) => (event.type === 'kb.outcome-unknown' ? [event.id] : []));
      expect(doubted.sort()).toEqual(cuts === 1 ? [] : [...ids, 'trouble', 'trouble']);
      const report = await kb.verify();
      expect(report).toMatchObject({ ok: true, entries: 4, faults: [] });
    });
  }

  it('[P38] takes a write-concern timeout for unknown, not for failed, and finds that it was written', async () => {
    await using mongod = await startMongod({ replSet: true, args: ['--setParameter', 'enableTestCommands=1'] });
    const client = new MongoClient(mongod.uriFor('kb'));
    const events: KbEvent[] = [];
    await using kb = await openKb({
      store: mongoStore({ uri: mongod.uriFor('kb') }),
      onEvent: (event) => events.push(event),
    });
    const failOnce = (command: string): Promise<unknown> =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: {
          failCommands: [command],
          writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' },
        },
      });
    await failOnce('insert');
    expect((await kb.put({ id: 'a', title: 'one' })).rev).toBe(1);
    await failOnce('insert');
    const three = await Promise.all(['b', 'c', 'd'].map((id) => kb.put({ id, title: 'x' })));
    expect(three.map(({ rev }) => rev)).toEqual([1, 1, 1]);
    const unknown = events.flatMap((event) => (event.type === 'kb.outcome-unknown' ? [event.id] : []));
    expect(unknown.sort()).toEqual(['a', 'b', 'c', 'd']);
    const settled = events.flatMap((event) => (event.type === 'kb.outcome-settled' ? [event.status] : []));
    expect(settled).toEqual(['written', 'written', 'written', 'written']);
    await client.close();
  });

  it('[P17] says degraded when a server takes a write and never answers, tells the caller in time, and settles it later', async () => {
    await using mongod = await startMongod({ replSet: true });
    await using proxy = await tcpProxy(mongod.port);
    const uri = `mongodb://127.0.0.1:${proxy.port}/kb?directConnection=true`;
    await using kb = await openKb({ store: mongoStore({ uri }), writeTimeoutMs: 1_000 });
    await kb.put({ id: 'a', title: 'kept' });
    proxy.stall();
    const error = await kb.put({ id: 'b', title: 'stalled' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KB_UNKNOWN_OUTCOME', id: 'b' });
    expect(kb.health().state).toBe('degraded');
    expect(kb.get('a')?.rev).toBe(1);
    proxy.resume();
    const settlement = await (error as { settle(): Promise<{ status: string }> }).settle();
    expect(['written', 'not-written']).toContain(settlement.status);
    await eventually(() => kb.health().state === 'ready', { timeoutMs: 20_000 });
    expect(kb.get('b') !== undefined).toBe(settlement.status === 'written');
  });

  it('[P35] sets aside what it can not read, counts it, never writes over it, and refuses to start where that is asked for', async () => {
    await using mongod = await startMongod({ replSet: true });
    const client = new MongoClient(mongod.uriFor('kb'));
    const collection = client.db().collection<KbDocument>('knowledge_base');
    const store = mongoStore({ uri: mongod.uriFor('kb') });
    const kb = await openKb({ store });
    await Promise.all(['good', 'bent', 'hand'].map((id) => kb.put({ id, title: id })));
    await collection.updateOne({ _id: 'bent' }, { $set: { 'e.title': 'changed behind the checksum' } });
    await collection.insertMany([
      { _id: 'shape', rev: 1 },
      { _id: 'newer', v: 2, rev: 1, op: 'x', at: new Date() },
    ] as unknown as KbDocument[]);
    await eventually(() => kb.health().quarantined === 3);
    await expect(kb.put({ id: 'bent', title: 'over it' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
    await kb.close();

    const events: KbEvent[] = [];
    const again = await openKb({ store, onEvent: (event) => events.push(event) });
    expect(again.health()).toMatchObject({ state: 'ready', entries: 2, quarantined: 3 });
    expect(events.flatMap((event) => (event.type === 'kb.entry-quarantined' ? [event.id] : [])).sort()).toEqual([
      'bent',
      'newer',
      'shape',
    ]);
    for (const id of ['bent', 'newer', 'shape']) {
      await expect(again.put({ id, title: 'over it' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED', id });
      await expect(again.delete(id)).rejects.toMatchObject({ code: 'KB_STORE_FAILED', id });
    }
    expect((await collection.findOne({ _id: 'newer' }))?.v).toBe(2);
    // Removed by hand, the id is free again.
    await collection.deleteOne({ _id: 'shape' });
    await eventually(() => again.health().quarantined === 2);
    expect((await again.put({ id: 'shape', title: 'anew' })).rev).toBe(1);
    await again.close();
    await expect(openKb({ store, onPoison: 'fail' })).rejects.toMatchObject({ code: 'KB_START', kind: 'poison' });
    await client.close();
  });

  it("[P53] works with a caller's client whatever its own options are, and never closes it", async () => {
    await using mongod = await startMongod({ replSet: true });
    const client = new MongoClient(mongod.uriFor('kb'), {
      ...{ ignoreUndefined: false, promoteValues: false, promoteLongs: false, useBigInt64: false },
      ...{ w: 1, journal: false, readPreference: 'secondaryPreferred' },
    });
    const when = new Date(1);
    for (const store of [
      mongoStore({ client, dbName: 'kb', collectionName: 'a' }),
      mongoStore({ collection: client.db('kb').collection('b') }),
    ]) {
      const kb = await openKb({ store });
      await kb.put({ id: 'a', title: 'one', n: 7, big: 2 ** 40, when, no: undefined } as { id: string; title: string });
      await kb.close();
      const again = await openKb({ store });
      expect(again.get('a')?.entry).toEqual({ id: 'a', title: 'one', n: 7, big: 2 ** 40, when });
      await again.close();
    }
    expect(await client.db('kb').command({ ping: 1 })).toMatchObject({ ok: 1 });
    await client.close();
  });

  it('[P17] answers reads while the database is away, rejects writes in time, and recovers alone', async () => {
    await using mongod = await startMongod({ replSet: true });
    await using kb = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }), writeTimeoutMs: 2_000 });
    await kb.put({ id: 'a', title: 'kept' });
    await mongod.kill();
    await eventually(() => kb.health().state === 'degraded');
    expect(kb.query({ text: 'kept' }).total).toBe(1);
    await expect(kb.put({ id: 'b', title: 'away' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
    await mongod.restart();
    await eventually(() => kb.health().state === 'ready', { timeoutMs: 20_000 });
    expect((await kb.put({ id: 'b', title: 'back' })).rev).toBe(1);
  });
});
