import { type Entry, openKb } from '@holdfast/persistent-kb';
import { mongoStore } from '@holdfast/persistent-kb/mongodb';
import { needs, startMongod } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { interleave } from '../../runner/statistics.ts';
import type { Row, Table, Target } from '../../runner/table.ts';
import { driverOf } from './peers/driver.ts';
import { entryOf, seeded } from './peers/entries.ts';

const PLAIN = 'mongodb driver, one replaceOne a put';
const DRIVER = 'holdfast MongoDB driver';
const KB = 'holdfast Kb.put';
const WRITE_CONCERN = { w: 'majority', journal: true } as const;

export const table: Table = {
  name: 'persistent-kb/mongodb',
  title: 'Acknowledged puts on MongoDB',
  about:
    'A replica set of one on the same machine, write concern majority and journal for all. The plain loop keeps no revision, no checksum, no stamp ' +
    'and no index: one upsert a put. Entries of about 600 bytes.',
  columns: [{ name: 'puts', unit: 'ops/s', better: 'higher' }],
  async run({ quick, log }) {
    if (!needs('mongod')) return { rows: [], notes: ['There is no mongod on this machine.'] };
    await using mongod = await startMongod({ replSet: true });
    const client = new MongoClient(mongod.uriFor('plain'));
    const plain = client.db().collection<{ _id: string; entry: Entry }>('entries');
    const driver = await driverOf(mongoStore({ uri: mongod.uriFor('driver') }));
    const kb = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }) });
    const puts: Record<string, (entry: Entry) => Promise<unknown>> = {
      [PLAIN]: (entry) => plain.replaceOne({ _id: entry.id }, { entry }, { upsert: true, writeConcern: WRITE_CONCERN }),
      [DRIVER]: (entry) => driver.put(entry),
      [KB]: (entry) => kb.put(entry),
    };
    const rows: Row[] = [];
    const targets: Target[] = [];
    const random = seeded(5);
    let n = 0;
    for (const { writers, each } of [
      { writers: 1, each: quick ? 100 : 400 },
      { writers: 64, each: quick ? 15 : 40 },
    ]) {
      const cases = Object.fromEntries(
        Object.entries(puts).map(([who, put]) => [
          who,
          async () => {
            const batch = Array.from({ length: writers * each }, () => entryOf(n++ % 5_000, 5_000, random));
            const began = performance.now();
            await Promise.all(
              Array.from({ length: writers }, async (_, writer) => {
                for (let at = writer; at < batch.length; at += writers) await put(batch[at]!);
              }),
            );
            return (batch.length / (performance.now() - began)) * 1000;
          },
        ]),
      );
      const rates = await interleave(cases, { rounds: quick ? 3 : 9 });
      const size = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
      for (const who of Object.keys(puts))
        rows.push({ who, kind: who === PLAIN ? 'peer' : 'ours', size, cells: { puts: rates[who]! } });
      for (const [who, factor] of [
        [DRIVER, writers === 1 ? 0.9 : 2],
        [KB, writers === 1 ? 0.8 : 1],
      ] as const) {
        const [ours, theirs] = [rates[who]!.median, rates[PLAIN]!.median];
        targets.push({
          claim: `${size}: ${who} at least ${factor} of the plain driver`,
          measured: `${Math.round(ours)} beside ${Math.round(theirs)} ops/s`,
          met: ours >= factor * theirs,
        });
      }
      log(`${size} done`);
    }
    await kb.close();
    await driver.close();
    await client.close();
    return { rows, targets, notes: ['Puts of one tick go as one bulk: that is where 64 writers gain.'] };
  },
};
