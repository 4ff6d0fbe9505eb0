import { describe, expect, it } from 'vitest';
import { type Entry, openKb, type Query } from '../../src/index.js';
import { memoryStore } from '../../src/testing.js';

/** Numbers in [0, 1) from a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('query', () => {
  it('[P18] finds what a search of every entry finds, over random writes and queries, and so does a scan', async () => {
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
    for (let step = 0; step < 3_000; step++) {
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
      if (step % 3 > 0) continue;
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
});
