import { type Clock, systemClock } from '@holdfast/clock';
import { eventually, needs, startMongod, type TcpProxy, tcpProxy } from '@holdfast/testkit';
import { MongoClient, Timestamp } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type KbEvent, openKb } from '../../src/index.js';
import { type KbDocument, toDocument } from '../../src/mongo-document.js';
import { mongoStore } from '../../src/mongodb.js';

const SMALL_OPLOG = ['--oplogSize', '1', '--syncdelay', '1'];

/** A knowledge base that sees its server through a proxy, with what it told. */
async function openThrough(proxy: TcpProxy, clock: Clock = systemClock) {
  const events: KbEvent[] = [];
  const uri = `mongodb://127.0.0.1:${proxy.port}/kb?directConnection=true`;
  const kb = await openKb({ store: mongoStore({ uri }), clock, onEvent: (event) => events.push(event) });
  const states = (): string[] =>
    events.flatMap((event) => (event.type === 'kb.health-changed' ? [`${event.from}>${event.to}`] : []));
  return { kb, events, states };
}

/** Writes to another collection until the oplog reaches back only to what is later than this moment. */
async function rollOplogOver(client: MongoClient): Promise<void> {
  const filler = client.db('other').collection('filler');
  const { operationTime } = await client.db().command({ ping: 1 });
  await eventually(
    async () => {
      await filler.insertMany(
        Array.from({ length: 50 }, () => ({ x: 'y'.repeat(80_000) })),
        { writeConcern: { w: 1 } },
      );
      return (await oldestOplogTime(client)) > operationTime.getHighBits();
    },
    { timeoutMs: 40_000, everyMs: 20 },
  );
}

async function oldestOplogTime(client: MongoClient): Promise<number> {
  const first = await client
    .db('local')
    .collection('oplog.rs')
    .findOne({}, { sort: { $natural: 1 } });
  return first!.ts.getHighBits();
}

describe.skipIf(!needs('mongod'))('following MongoDB', () => {
  it('[P45] compares everything once when its history is lost, says stale and then ready, and [P46] a quiet one keeps its place', async () => {
    await using mongod = await startMongod({ replSet: true, args: SMALL_OPLOG });
    await using proxy = await tcpProxy(mongod.port);
    const client = new MongoClient(mongod.uriFor('kb'));
    const { kb, events, states } = await openThrough(proxy);
    await using writer = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }) });
    await Promise.all(['keep', 'ghost', 'old'].map((id) => writer.put({ id, title: id })));
    await eventually(() => kb.stats().entries === 3);

    // Quiet: nothing is written to it while the history rolls over, but it is connected all the time.
    await rollOplogOver(client);
    proxy.dropAll();
    await writer.put({ id: 'after', title: 'quiet' });
    await eventually(() => kb.get('after') !== undefined, { timeoutMs: 20_000 });
    expect(events.filter((event) => event.type === 'kb.history-lost')).toEqual([]);

    // Away: what happened meanwhile is not in the history any more.
    await proxy.refuse();
    proxy.dropAll();
    await eventually(() => kb.health().state === 'degraded', { timeoutMs: 20_000 });
    await writer.delete('ghost');
    await client.db().collection('knowledge_base').deleteMany({ del: true });
    await writer.put({ id: 'old', title: 'changed meanwhile' });
    await writer.put({ id: 'new', title: 'made meanwhile' });
    await rollOplogOver(client);
    expect(kb.get('ghost')).toBeDefined();
    const from = states().length;
    await proxy.accept();
    await eventually(() => events.some((event) => event.type === 'kb.reconciled'), { timeoutMs: 30_000 });
    await eventually(() => kb.health().state === 'ready', { timeoutMs: 20_000 });
    expect(states().slice(from)).toEqual(['degraded>stale', 'stale>ready']);
    expect([kb.get('ghost'), kb.get('old')?.entry.title, kb.get('new')?.rev]).toEqual([
      undefined,
      'changed meanwhile',
      1,
    ]);
    expect(events.filter((event) => event.type === 'kb.history-lost')).toHaveLength(1);
    expect(events.filter((event) => event.type === 'kb.reconciled')).toMatchObject([{ changed: 3 }]);
    await kb.put({ id: 'ghost', title: 'made anew' });
    await eventually(() => writer.get('ghost')?.entry.title === 'made anew');
    expect(await kb.verify()).toMatchObject({ ok: true, faults: [] });
    await kb.close();
    await client.close();
  });

  it('[P49] reconciles after an absence longer than tombstones live, instead of serving ghosts', async () => {
    await using mongod = await startMongod({ replSet: false });
    await using proxy = await tcpProxy(mongod.port);
    const client = new MongoClient(mongod.uriFor('kb'));
    let ahead = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead };
    const { kb, events } = await openThrough(proxy, clock);
    await using writer = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }) });
    await Promise.all(['keep', 'ghost'].map((id) => writer.put({ id, title: id })));
    await eventually(() => kb.stats().entries === 2);
    await proxy.refuse();
    proxy.dropAll();
    await eventually(() => kb.health().state === 'degraded', { timeoutMs: 20_000 });
    await writer.delete('ghost');
    await client.db().collection('knowledge_base').deleteMany({ del: true }); // as the TTL index does after seven days
    ahead = 8 * 24 * 60 * 60 * 1000;
    expect(kb.get('ghost')).toBeDefined();
    await proxy.accept();
    await eventually(() => events.some((event) => event.type === 'kb.reconciled'), { timeoutMs: 30_000 });
    await eventually(() => kb.health().state === 'ready', { timeoutMs: 20_000 });
    expect([kb.get('ghost'), kb.get('keep')?.rev]).toEqual([undefined, 1]);
    await kb.close();
    await client.close();
  });

  for (const replSet of [true, false]) {
    it(`[P47] says failed when its collection is dropped or replaced, and serves no empty base as ready, ${replSet ? 'streaming' : 'polling'}`, async () => {
      await using mongod = await startMongod({ replSet });
      const client = new MongoClient(mongod.uriFor('kb'));
      const kb = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }) });
      await kb.put({ id: 'a', title: 'kept' });
      await client.db().collection('knowledge_base').drop();
      await client.db().collection<KbDocument>('knowledge_base').createIndex({ ts: 1, _id: 1 });
      await eventually(() => kb.health().state === 'failed', { timeoutMs: 20_000 });
      expect(kb.health().cause?.name).toBe('CollectionGone');
      expect(kb.get('a')?.entry.title).toBe('kept');
      await expect(kb.put({ id: 'b', title: 'x' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
      await kb.close();
      await client.close();
    });
  }

  it('[P48] polling sees what others insert, replace and delete: many in one millisecond, by clocks an hour off, and held between stamp and commit', async () => {
    await using mongod = await startMongod({ replSet: false });
    const client = new MongoClient(mongod.uriFor('kb'));
    const uri = mongod.uriFor('kb');
    const late: Clock = { ...systemClock, now: () => systemClock.now() - 3_600_000 };
    await using writer = await openKb({ store: mongoStore({ uri }), clock: late });
    await using kb = await openKb({ store: mongoStore({ uri }) });
    expect(kb.health().tail).toBe('poll');
    await Promise.all(Array.from({ length: 100 }, (_, n) => writer.put({ id: `id-${n}`, title: 'one' })));
    await eventually(() => kb.stats().entries === 100);
    await Promise.all([
      ...Array.from({ length: 50 }, (_, n) => writer.put({ id: `id-${n}`, title: 'two' })),
      ...Array.from({ length: 20 }, (_, n) => writer.delete(`id-${50 + n}`)),
    ]);
    await eventually(() => kb.stats().entries === 80 && kb.query({ text: 'two' }).total === 50);

    // A writer that was held for 5 s between stamp and commit: its row appears below stamps that were polled long ago.
    const collection = client.db().collection<KbDocument>('knowledge_base');
    const { ts } = (await collection.findOne({}, { sort: { ts: -1 } }))!;
    await eventually(() => kb.query({ text: 'two' }).total === 50);
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // a poll with nothing new: it has moved past that stamp
    const held = { id: 'held', rev: 1, op: 'held', at: 1, entry: { id: 'held', title: 'held' } };
    await collection.insertOne({ ...toDocument(held), ts: new Timestamp({ t: ts.getHighBits() - 5, i: 1 }) });
    await eventually(() => kb.get('held') !== undefined);
    expect(await kb.verify()).toMatchObject({ ok: true, faults: [] });
    await client.close();
  });

  it('[P43] takes what is written at any moment between its token and the end of its scan', async () => {
    await using mongod = await startMongod({ replSet: true });
    const client = new MongoClient(mongod.uriFor('boundaries'));
    const moments = ['watch', 'command', 'estimatedDocumentCount', 'find', 'end'] as const;
    for (const moment of moments) {
      const real = client.db().collection<KbDocument>(moment);
      await using writer = await openKb({ store: mongoStore({ collection: real }) });
      await Promise.all(['b', 'd', 'f'].map((id) => writer.put({ id, title: 'before' })));
      let writes = 0;
      const write = async (): Promise<void> => {
        if (writes++ > 0) return;
        await Promise.all(['a', 'c', 'g'].map((id) => writer.put({ id, title: 'inserted' })));
        await writer.put({ id: 'b', title: 'replaced' });
        await writer.delete('d');
        await client.db().collection<KbDocument>(moment).deleteOne({ _id: 'f' });
      };
      const collection = new Proxy(real, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          return (...given: unknown[]) => {
            const call = (): unknown => Reflect.apply(value, target, given);
            if (moment === 'estimatedDocumentCount' && name === moment) return write().then(call);
            const result = call();
            if (name === 'watch' && moment === 'watch') {
              const stream = result as { tryNext(): Promise<unknown> };
              const tryNext = stream.tryNext.bind(stream);
              stream.tryNext = async () => {
                const event = await tryNext();
                await write();
                return event;
              };
            }
            if (name === 'find' && (moment === 'find' || moment === 'end')) {
              const cursor = result as AsyncIterable<unknown> & { sort(order: object): unknown };
              const sort = cursor.sort.bind(cursor);
              cursor.sort = (order) => {
                const sorted = sort(order) as AsyncIterable<unknown>;
                const iterate = sorted[Symbol.asyncIterator].bind(sorted);
                return Object.assign(sorted, {
                  async *[Symbol.asyncIterator]() {
                    for await (const document of { [Symbol.asyncIterator]: iterate }) {
                      yield document;
                      if (moment === 'find') await write();
                    }
                    await write();
                  },
                });
              };
            }
            return result;
          };
        },
      });
      if (moment === 'command') await write();
      await using kb = await openKb({ store: mongoStore({ collection }) });
      expect(writes).toBeGreaterThan(0);
      const found = kb.query({}).hits.map(({ id, entry }) => `${id} ${entry.title}`);
      expect({ moment, found: found.sort() }).toEqual({
        moment,
        found: ['a inserted', 'b replaced', 'c inserted', 'g inserted'],
      });
    }
    await client.close();
  });
});
