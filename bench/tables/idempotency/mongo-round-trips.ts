import { createIdempotency } from '@holdfast/idempotency';
import { mongoStore } from '@holdfast/idempotency/mongodb';
import { needs, startMongod } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import type { Row, Table } from '../../runner/table.ts';

export const table: Table = {
  name: 'idempotency/mongo-round-trips',
  title: 'Commands sent to MongoDB',
  about:
    'Counted by the driver’s command monitoring on a one-node replica set. The floor is what people write: find, then insert, then update; it has no ' +
    'claim, so two callers both run.',
  columns: [{ name: 'commands', unit: 'count', better: 'lower' }],
  async run() {
    if (!needs('mongod')) throw new Error('no mongod on this machine');
    await using mongod = await startMongod({ replSet: true });
    const client = await new MongoClient(mongod.uriFor('bench'), { monitorCommands: true }).connect();
    const idempotency = createIdempotency({ store: mongoStore({ client, dbName: 'bench' }) });
    await idempotency.ready();
    const naive = client.db('bench').collection<{ _id: string; value?: string }>('naive');
    await naive.insertOne({ _id: 'warm' });
    let sent = 0;
    client.on('commandStarted', () => {
      sent++;
    });
    const counted = async (work: () => Promise<unknown>): Promise<number> => {
      sent = 0;
      await work();
      return sent;
    };
    const ask = (key: string) => idempotency.run(key, async () => 'value');
    const byHand = async (key: string): Promise<unknown> => {
      const known = await naive.findOne({ _id: key });
      if (known) return known.value;
      await naive.insertOne({ _id: key });
      await naive.updateOne({ _id: key }, { $set: { value: 'value' } });
      return 'value';
    };
    const cases: Record<string, [ours: () => Promise<unknown>, floor?: () => Promise<unknown>]> = {
      'first run': [() => ask('a'), () => byHand('a')],
      replay: [() => ask('a'), () => byHand('a')],
      'first run with two steps': [
        () => idempotency.run('b', async (op) => [await op.step('one', () => 1), await op.step('two', () => 2)]),
      ],
      '100 concurrent duplicates in one process, first run': [
        () => Promise.all(Array.from({ length: 100 }, () => ask('c'))),
      ],
      'a run that fails': [() => idempotency.run('d', () => Promise.reject(new Error('no'))).catch(() => undefined)],
    };
    const rows: Row[] = [];
    const measured: number[] = [];
    for (const [size, [ours, floor]] of Object.entries(cases)) {
      measured.push(await counted(ours));
      rows.push({ who: 'holdfast', kind: 'ours', size, cells: { commands: measured.at(-1)! } });
      if (floor)
        rows.push({
          who: 'find, insert, update by hand',
          kind: 'floor',
          size,
          cells: { commands: await counted(floor) },
        });
    }
    await idempotency.close();
    await client.close();
    return {
      rows,
      targets: [
        {
          claim: 'one round trip to claim and one to settle',
          measured: `${measured[0]} commands`,
          met: measured[0] === 2,
        },
        { claim: 'one round trip to replay', measured: `${measured[1]} command`, met: measured[1] === 1 },
      ],
    };
  },
};
