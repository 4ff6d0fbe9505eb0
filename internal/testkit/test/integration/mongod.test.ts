import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { needs, startMongod, startReplicaSet } from '../../src/index.js';

async function withDb<T>(uri: string, fn: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 5_000 });
  try {
    return await fn(client);
  } finally {
    await client.close();
  }
}

describe.skipIf(!needs('mongod'))('startMongod', () => {
  it('keeps what was written over a kill and a restart', async () => {
    await using mongod = await startMongod({ replSet: true });
    const uri = mongod.uriFor('kit');
    await withDb(uri, (client) =>
      client
        .db()
        .collection('c')
        .insertOne({ n: 1 }, { writeConcern: { w: 'majority' } }),
    );
    const pid = mongod.pid;
    await mongod.kill();
    await mongod.restart();
    expect(mongod.pid).not.toBe(pid);
    expect(await withDb(uri, (client) => client.db().collection('c').countDocuments())).toBe(1);
  });

  it('asks for a password when told to', async () => {
    await using mongod = await startMongod({ auth: true });
    expect(await withDb(mongod.uriFor('kit'), (client) => client.db().collection('c').countDocuments())).toBe(0);
    const stranger = mongod.uriFor('kit').replace('pass%2Fword', 'wrong');
    await expect(withDb(stranger, (client) => client.db().collection('c').countDocuments())).rejects.toThrow(
      'Authentication failed',
    );
  });
});

describe.skipIf(!needs('mongod'))('startReplicaSet', () => {
  it('has another primary after a step down', async () => {
    await using set = await startReplicaSet({ members: 3 });
    const first = await set.primary();
    await set.stepDown();
    expect((await set.primary()).port).not.toBe(first.port);
    expect(await withDb(set.uriFor('kit'), (client) => client.db().collection('c').countDocuments())).toBe(0);
  });
});
