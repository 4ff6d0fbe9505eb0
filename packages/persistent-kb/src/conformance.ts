import { deepStrictEqual as equal, ok } from 'node:assert';
import type { Entry, Stored } from './entry.js';
import { isKbError, type KbErrorCode } from './errors.js';
import type { Kb } from './kb.js';
import { openKb } from './open-kb.js';
import type { KbStore } from './store.js';

/** What a conformance case needs of the driver under test: a place of its own. */
export interface ConformanceHarness {
  /** A store on the same place each time, so that opening it again is a restart. */
  store(): KbStore;
  /** Whether two may be open on that place at once. */
  shared: boolean;
}

/** One promise that every store keeps. `run` rejects when it is broken; it needs no test runner. */
export interface ConformanceCase {
  name: string;
  /** Only for stores that several instances share. */
  needsShared?: boolean | undefined;
  run(harness: ConformanceHarness): Promise<void>;
}

type Loose = Entry & Record<string, unknown>;
const SOON_MS = 10_000;

/** The cases. Run each on a fresh place, over any store. */
export const conformance: readonly ConformanceCase[] = [
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
    name: 'what is accepted is deep-equal after it is opened again, whatever its keys',
    async run({ store }) {
      const odd = JSON.parse('{"__proto__":{"x":1},"constructor":2,"$set":{"a.b":[null,true]},"":0,"0":"z"}') as object;
      const entry: Loose = {
        ...{
          id: 'ü\u0000 $id',
          title: '',
          tags: [],
          when: new Date(8.64e15),
          zero: -0,
          big: 2 ** 53 + 2,
          tiny: 5e-324,
        },
        ...{ nested: odd, dates: [{ at: new Date(-1) }], text: '\u0000 "\\\n 💾', nothing: null, no: false },
      };
      const given = structuredClone(entry);
      const put = await withKb<Stored<Loose>, Loose>(store(), (kb) => kb.put(entry));
      equal(put.entry, given);
      await withKb<void, Loose>(store(), async (kb) => equal(kb.get(entry.id)?.entry, given));
      equal(({} as { x?: unknown }).x, undefined);
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
    name: 'values that would not survive are refused with their path, and nothing is written',
    async run({ store }) {
      await withKb<void, Loose>(store(), async (kb) => {
        for (const value of [
          1n,
          Number.NaN,
          new Date(Number.NaN),
          '\ud800',
          [undefined],
          new Set(),
          () => 1,
          Symbol('s'),
        ]) {
          const entry = { id: 'a', title: 't', deep: [{ value }] };
          const { path } = await rejection(kb.put(entry), 'KB_INVALID_ENTRY');
          ok(path?.startsWith('deep[0].value'), `path of ${String(value)} is ${path}`);
        }
        equal(kb.stats().entries, 0);
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

async function withKb<R, T extends Entry = Entry>(store: KbStore, use: (kb: Kb<T>) => Promise<R>): Promise<R> {
  const kb = await openKb<T>({ store });
  try {
    return await use(kb);
  } finally {
    await kb.close();
  }
}

async function withTwo<T extends Entry = Entry>(
  store: () => KbStore,
  use: (one: Kb<T>, two: Kb<T>) => Promise<void>,
): Promise<void> {
  const shared = store();
  await withKb<void, T>(shared, (one) => withKb<void, T>(shared, (two) => use(one, two)));
}

async function rejection(promise: Promise<unknown>, code: KbErrorCode) {
  const error: unknown = await promise.then(
    () => new Error(`resolved instead of ${code}`),
    (reason: unknown) => reason,
  );
  if (!isKbError(error, code)) throw error;
  return error;
}

/** Waits until an instance has `id` at `rev`. */
function seen<T extends Entry>(kb: Kb<T>, id: string, rev: number): Promise<void> {
  return until(() => (kb.get(id)?.rev ?? 0) >= rev);
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + SOON_MS;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${SOON_MS} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
