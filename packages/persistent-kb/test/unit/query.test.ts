import { describe, expect, it } from 'vitest';
import { type Entry, openKb, type Query } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';
import { seeded } from '../fixtures/seeded.js';

describe('query', () => {
  it('[P18] finds what a search of every entry finds, over 10,000 random writes, and so does a scan', async () => {
    const random = seeded(42);
    const pick = <V>(list: readonly V[]): V => list[Math.floor(random() * list.length)]!;
    const words = ['disk', 'Full', 'CPU', 'node', 'émile', '日志', 'a_b', 'x1'];
    const tags = ['t1', 't2', 't3', 't4'];
    const some = <V>(list: readonly V[], most: number): V[] =>
      Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(list));
    const store = memoryStore();
    const kb = await openKb({ store });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const model = new Map<string, Entry>();

    const check = (subject: typeof kb, query: Query): void => {
      const wanted = query.text?.toLowerCase().split(/[ .]+/).filter(Boolean);
      const expected = [...model.values()].filter((entry) => {
        const has = new Set(entry.tags);
        const found = `${entry.title} ${entry.body ?? ''}`.toLowerCase().split(/[ .]+/);
        return (
          (wanted === undefined || wanted.some((word) => found.includes(word))) &&
          (query.all ?? []).every((tag) => has.has(tag)) &&
          (!query.any?.length || query.any.some((tag) => has.has(tag))) &&
          !(query.none ?? []).some((tag) => has.has(tag)) &&
          (query.category === undefined || entry.category === query.category)
        );
      });
      const { hits, total } = subject.query({ ...query, limit: 10_000 });
      expect(hits.map((hit) => hit.id).sort()).toEqual(expected.map((entry) => entry.id).sort());
      expect(total).toBe(expected.length);
      expect(subject.query({ ...query, limit: 5 }).hits).toEqual(hits.slice(0, 5));
    };

    const queries: Query[] = [];
    for (let step = 0; step < 10_000; step++) {
      const id = `id-${Math.floor(random() * 60)}`;
      if (random() < 0.2) {
        expect(await kb.delete(id)).toBe(model.delete(id));
      } else {
        const category = random() < 0.5 ? pick(['c1', 'c2']) : undefined;
        const body = random() < 0.5 ? `${some(words, 4).join('. ')}.` : undefined;
        const entry: Entry = { id, title: some(words, 3).join(' '), body, tags: some(tags, 3), category };
        await kb.put(entry);
        model.set(id, entry);
      }
      if (step % 4 > 0) continue;
      const text = random() < 0.6 ? some(words, 3).join(' ') : undefined;
      const category = random() < 0.2 ? 'c1' : undefined;
      const query = { text, category, all: some(tags, 1), any: some(tags, 2), none: some(tags, 1) };
      queries.push(query);
      check(kb, query);
    }
    expect(await kb.verify()).toMatchObject({ ok: true, faults: [] });

    // Opened anew, its index is not built before the event loop turns: these answers come from the scan.
    const fresh = await openKb({ store });
    expect(fresh.health().textIndex.state).toBe('building');
    for (const query of queries.slice(-50)) {
      check(fresh, query);
      expect(fresh.query(query)).toEqual(kb.query(query));
    }
    await fresh.close();
    await kb.close();
  });

  it('[P50] takes text and tags as they are, never as operators or expressions', async () => {
    const kb = await openKb({ store: memoryStore() });
    await kb.put({ id: 'a', title: 'alpha', tags: ['.*', '$ne'], category: 'x' });
    await kb.put({ id: 'b', title: 'beta OR gamma', tags: ['plain'] });
    const found = (query: Query): string[] => kb.query(query).hits.map((hit) => hit.id);
    expect(found({ all: ['.*'] })).toEqual(['a']);
    expect(found({ any: ['.+', 'pl*in'] })).toEqual([]);
    expect(found({ text: '.* alph? -beta "beta' })).toEqual(['b']);
    expect(found({ text: 'alpha AND missing' })).toEqual(['a']);
    expect(found({ text: '(((((*+?[{^$|\\' })).toEqual([]);
    expect(found({ all: ['__proto__'] })).toEqual([]);
    expect(found({ text: 'constructor toString' })).toEqual([]);
    for (const bad of [
      { text: { $gt: '' } },
      { all: [{ $ne: '' }] },
      { category: { $ne: 'x' } },
      { limit: -1 },
      null,
    ]) {
      expect(() => kb.query(bad as Query)).toThrow(TypeError);
    }
    await kb.close();
  });

  it('[P50] reads at most 65,536 characters and 64 terms of a query, however long it is', async () => {
    const read: number[] = [];
    const split = (text: string): string[] => {
      read.push(text.length);
      return text.toLowerCase().split(' ').filter(Boolean);
    };
    const kb = await openKb({ store: memoryStore(), text: { tokenize: split } });
    await kb.put({ id: 'first', title: 'w0' });
    await kb.put({ id: 'last', title: 'w63' });
    await kb.put({ id: 'beyond', title: 'w64' });
    read.length = 0;
    const text = Array.from({ length: 200_000 }, (_, n) => `w${n}`).join(' ');
    expect(text.length).toBeGreaterThan(1_000_000);
    expect(
      kb
        .query({ text })
        .hits.map((hit) => hit.id)
        .sort(),
    ).toEqual(['first', 'last']);
    expect(Math.max(...read)).toBe(65_536);
    await kb.close();
  });
});
