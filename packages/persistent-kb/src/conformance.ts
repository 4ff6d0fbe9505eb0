import { deepStrictEqual as equal, ok } from 'node:assert';
import { all, type ConformanceCase, type Loose, rejection, seen, until, withKb, withTwo } from './conformance-case.js';
import { valueCases } from './conformance-values.js';
import type { Stored } from './entry.js';
import { isKbError } from './errors.js';
import type { Kb } from './kb.js';
import { openKb } from './open-kb.js';
import { fromJsonLines, toJsonLines } from './transfer.js';

/** The cases. Run each on a fresh place, over any store. */
export const conformance: readonly ConformanceCase[] = [
  ...valueCases,
  {
    name: 'what was acknowledged is there after it is opened again, with its revision',
    async run({ store }) {
      const first = await withKb(store(), async (kb) => {
        await kb.put({ id: 'a', title: 'one', tags: ['x'] });
        return kb.put({ id: 'a', title: 'two', tags: ['y'], category: 'c', body: 'text' });
      });
      await withKb(store(), async (kb) => {
        equal(kb.get('a'), first);
        equal(kb.get('a')?.rev, 2);
        equal(kb.query({ all: ['x'] }).total, 0);
        equal(kb.query({ all: ['y'], category: 'c', text: 'TEXT' }).total, 1);
      });
    },
  },
  {
    name: 'a deleted entry stays deleted, and its revision grows when it is created again',
    async run({ store }) {
      await withKb(store(), async (kb) => {
        await kb.put({ id: 'a', title: 'one' });
        equal(await kb.delete('a'), true);
        equal(await kb.delete('a'), false);
      });
      await withKb(store(), async (kb) => {
        equal(kb.get('a'), undefined);
        equal((await kb.put({ id: 'a', title: 'again' }, { ifRev: 'absent' })).rev, 3);
      });
    },
  },
  {
    name: 'a write with a revision that is not the stored one is refused with what is stored',
    async run({ store }) {
      await withKb(store(), async (kb) => {
        const stored = await kb.put({ id: 'a', title: 'one' });
        equal((await rejection(kb.put({ id: 'a', title: 'x' }, { ifRev: 7 }), 'KB_CONFLICT')).current, stored);
        equal((await rejection(kb.put({ id: 'a', title: 'x' }, { ifRev: 'absent' }), 'KB_CONFLICT')).current, stored);
        equal((await rejection(kb.put({ id: 'b', title: 'x' }, { ifRev: 1 }), 'KB_CONFLICT')).current, undefined);
        await rejection(kb.delete('a', { ifRev: 7 }), 'KB_CONFLICT');
        equal((await kb.put({ id: 'a', title: 'two' }, { ifRev: 1 })).rev, 2);
      });
    },
  },
  {
    name: 'the same operation id writes once, also after it is opened again',
    async run({ store }) {
      const put = (kb: Kb): Promise<Stored> => kb.put({ id: 'a', title: 'one' }, { opId: 'op-1' });
      const first = await withKb(store(), async (kb) => {
        const [one, two] = await Promise.all([put(kb), put(kb)]);
        equal(two, one);
        return one;
      });
      await withKb(store(), async (kb) => {
        equal(await put(kb), first);
        await kb.put({ id: 'a', title: 'later' });
        equal((await put(kb)).rev, 1);
        equal(kb.get('a')?.entry.title, 'later');
      });
    },
  },
  {
    name: 'patches that run at once are all applied',
    async run({ store }) {
      await withKb<void, Loose>(store(), async (kb) => {
        await kb.put({ id: 'n', title: 'count', n: 0 });
        const add = (): Promise<unknown> => kb.patch('n', ({ entry }) => ({ ...entry, n: Number(entry.n) + 1 }));
        await Promise.all(Array.from({ length: 25 }, add));
        equal(kb.get('n')?.entry.n, 25);
        await rejection(
          kb.patch('none', ({ entry }) => entry),
          'KB_NOT_FOUND',
        );
      });
    },
  },
  {
    name: 'a tag that no entry has any more leaves nothing behind, and counts fit',
    async run({ store }) {
      await withKb(store(), async (kb) => {
        await kb.put({ id: 'a', title: 'one', tags: ['x', 'y', 'x'], category: 'c' });
        await kb.put({ id: 'b', title: 'two', tags: ['y'] });
        equal([kb.stats().tags, kb.stats().categories], [2, 1]);
        await kb.put({ id: 'a', title: 'one', tags: ['z'] });
        equal([kb.stats().tags, kb.stats().categories], [2, 0]);
        await kb.delete('b');
        equal([kb.stats().tags, kb.stats().entries, kb.stats().tombstones], [1, 1, 1]);
        equal(kb.query({ any: ['x', 'y'] }).total, 0);
      });
    },
  },
  {
    name: 'an import tells of each entry, and what was exported is imported unchanged',
    async run({ store }) {
      await withKb<void, Loose>(store(), async (kb) => {
        const given: Loose[] = Array.from({ length: 150 }, (_, n) => ({
          id: `id-${n}`,
          title: `t ${n}`,
          at: new Date(n),
        }));
        const results = await all(kb.import([...given, { id: 'bad', title: 1n as unknown as string }]));
        equal(
          results.map(({ id }) => id),
          [...given.map(({ id }) => id), 'bad'],
        );
        equal(results.filter((result) => result.ok && result.rev === 1).length, 150);
        const last = results.at(-1)!;
        ok(!last.ok && isKbError(last.error, 'KB_INVALID_ENTRY') && last.error.path === 'title');
        const again = await all(fromJsonLines<Loose>(toJsonLines(kb.export())));
        equal(
          again.sort((a, b) => Number(a.at) - Number(b.at)),
          given,
        );
      });
    },
  },
  {
    name: 'changes tell what becomes visible, in order, and end in reset for a reader too far behind',
    async run({ store }) {
      await withKb(store(), async (kb) => {
        const changes = kb.changes()[Symbol.asyncIterator]();
        const slow = kb.changes()[Symbol.asyncIterator]();
        await kb.put({ id: 'a', title: 'one' });
        await kb.put({ id: 'a', title: 'two' });
        await kb.delete('a');
        const told: unknown[] = [];
        for (let n = 0; n < 3; n++) {
          const { value } = await changes.next();
          told.push([value.type, value.id, value.rev]);
        }
        equal(told, [
          ['put', 'a', 1],
          ['put', 'a', 2],
          ['delete', 'a', 3],
        ]);
        await changes.return?.();
        await Promise.all(Array.from({ length: 1_100 }, (_, n) => kb.put({ id: `id-${n}`, title: 'x' })));
        equal(await slow.next(), { value: { type: 'reset' }, done: false });
        equal((await slow.next()).done, true);
      });
    },
  },
  {
    name: 'verify finds memory, indexes and store equal after many writes',
    async run({ store }) {
      await withKb(store(), async (kb) => {
        const ids = Array.from({ length: 200 }, (_, n) => `id-${n}`);
        await Promise.all(ids.map((id, n) => kb.put({ id, title: `entry ${n}`, tags: [`t${n % 7}`] })));
        await Promise.all(ids.slice(0, 50).map((id) => kb.delete(id)));
        await Promise.all(ids.slice(50, 99).map((id) => kb.put({ id, title: 'changed', tags: ['new'] })));
        const report = await kb.verify();
        equal([report.ok, report.entries, report.faults], [true, 150, []]);
      });
    },
  },
  {
    name: 'after close writes are refused and reads still answer',
    async run({ store }) {
      const kb = await openKb({ store: store() });
      const pending = kb.put({ id: 'a', title: 'pending' });
      await kb.close();
      await kb.close();
      equal((await pending).rev, 1);
      equal(kb.get('a')?.rev, 1);
      equal(kb.health().state, 'closed');
      await rejection(kb.put({ id: 'b', title: 'x' }), 'KB_CLOSED');
    },
  },
  {
    name: 'of two instances with the same base revision one wins, and the other is told what is stored',
    needsShared: true,
    async run({ store }) {
      await withTwo(store, async (one, two) => {
        const base = await one.put({ id: 'a', title: 'base' });
        await seen(two, 'a', 1);
        const results = await Promise.allSettled(
          [one, two].map((kb, n) => kb.put({ id: 'a', title: `writer ${n}` }, { ifRev: base.rev })),
        );
        equal(results.map((result) => result.status).sort(), ['fulfilled', 'rejected']);
        const lost = results.find((result) => result.status === 'rejected')!.reason as unknown;
        ok(isKbError(lost, 'KB_CONFLICT') && lost.current?.rev === 2);
      });
    },
  },
  {
    name: 'patches of two instances are all applied, and both see the result',
    needsShared: true,
    async run({ store }) {
      await withTwo<Loose>(store, async (one, two) => {
        await one.put({ id: 'n', title: 'count', n: 0 });
        await seen(two, 'n', 1);
        const add = (kb: Kb<Loose>): Promise<unknown> =>
          kb.patch('n', ({ entry }) => ({ ...entry, n: Number(entry.n) + 1 }));
        await Promise.all(Array.from({ length: 10 }, () => [add(one), add(two)]).flat());
        for (const kb of [one, two]) await seen(kb, 'n', 21);
        equal(
          [one, two].map((kb) => kb.get('n')?.entry.n),
          [20, 20],
        );
      });
    },
  },
  {
    name: 'a deletion by one instance reaches the other',
    needsShared: true,
    async run({ store }) {
      await withTwo(store, async (one, two) => {
        await one.put({ id: 'a', title: 'base' });
        await seen(two, 'a', 1);
        await one.delete('a');
        await until(() => two.get('a') === undefined);
        equal((await two.put({ id: 'a', title: 'again' })).rev, 3);
      });
    },
  },
];
