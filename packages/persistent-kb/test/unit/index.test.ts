import { systemClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import type { Entry, Row } from '../../src/entry.js';
import { type KbEvent, openKb } from '../../src/index.js';
import { matchingOf } from '../../src/score.js';
import { State } from '../../src/state.js';
import type { OpenStore } from '../../src/store.js';
import { memoryStore } from '../../src/testing.js';
import { TextBuilder } from '../../src/text-builder.js';
import { TextIndex } from '../../src/text-index.js';
import { tokenize } from '../../src/tokens.js';
import { verify } from '../../src/verify.js';
import { seeded } from '../fixtures/seeded.js';

const row = (id: string, rev: number, title: string, tags: string[] = []): Row => ({
  ...{ id, rev, op: `${id}.${rev}`, at: rev, entry: { id, title, tags } },
});
const turn = () => new Promise((resolve) => setImmediate(resolve));
const equalStore: OpenStore = {
  commit: async () => ({ status: 'ok' }),
  read: async () => undefined,
  compare: async () => ({ compared: 0, differing: [], missing: [], extra: [] }),
  close: async () => {},
};

describe('indexes', () => {
  it('[P41] stay equal to a rebuild over 10,000 random writes, with a tokenizer that throws now and then', async () => {
    const random = seeded(7);
    let throwing = false;
    const events: KbEvent[] = [];
    const words = ['disk', 'full', 'node', 'cpu', 'swap'];
    const kb = await openKb({
      store: memoryStore(),
      text: {
        tokenize(text) {
          if (throwing) throw new Error('tokenizer');
          return tokenize(text);
        },
      },
      onEvent: (event) => events.push(event),
    });
    const model = new Map<string, Entry>();
    for (let step = 0; step < 10_000; step++) {
      const id = `id-${Math.floor(random() * 300)}`;
      throwing = random() < 0.005;
      if (random() < 0.25) {
        await kb.delete(id);
        model.delete(id);
      } else {
        const entry = { id, title: words[step % 5]!, body: words[(step >> 3) % 5]!, tags: [`t${step % 11}`] };
        await kb.put(entry);
        model.set(id, entry);
      }
      throwing = false;
      if (step % 500 === 0) await turn();
    }
    expect(events.filter((event) => event.type === 'kb.index-dirtied').length).toBeGreaterThan(10);
    while (kb.health().textIndex.state !== 'ready') await turn();
    expect(await kb.verify()).toMatchObject({ ok: true, tagFaults: 0, textFaults: 0, entries: model.size });
    for (const word of words) {
      const expected = [...model.values()].filter(({ title, body }) => title === word || body === word);
      expect(kb.query({ text: word }).total).toBe(expected.length);
    }
    const tags = new Set([...model.values()].flatMap((entry) => entry.tags ?? []));
    expect(kb.stats()).toMatchObject({ entries: model.size, tags: tags.size });
    await Promise.all([...model.keys()].map((id) => kb.delete(id)));
    expect(kb.stats()).toMatchObject({ entries: 0, tags: 0 });
    await kb.close();
  });

  it('[P42] that were corrupted are found by verify and repaired in place, with right answers meanwhile', async () => {
    const state = new State();
    for (let n = 0; n < 50; n++) state.apply(row(`id-${n}`, 1, n % 2 ? 'odd' : 'even', ['all', `t${n % 3}`]), 0);
    const index = new TextBuilder(state, matchingOf({}), systemClock, { ready: () => {}, dirty: () => {} });
    index.start();
    while (!index.index) await turn();
    const surroundings = { state, text: index, store: equalStore, clock: systemClock };
    const run = (repair: boolean) =>
      verify(surroundings, { repair, onProgress: undefined, signal: new AbortController().signal });
    expect(await run(false)).toMatchObject({ ok: true, tagFaults: 0, textFaults: 0 });

    state.tags.get('all')!.delete('id-7');
    state.tags.get('t0')!.add('id-1');
    state.tags.set('nobody', new Set(['gone']));
    index.index.remove('id-3', state.rows.get('id-3')!.entry!);
    index.index.add('gone', { id: 'gone', title: 'odd' });
    const found = await run(false);
    expect(found).toMatchObject({ ok: false, tagFaults: 3, textFaults: 2 });
    expect(found.faults).toContain("tag 'all' lacks 'id-7'");
    expect(found.faults).toContain("text index: 'id-3' is missing");

    expect(await run(true)).toMatchObject({ ok: true, repaired: true });
    const hits = (): string[] => {
      const ids: string[] = [];
      index.search(['odd'], (id) => void ids.push(id));
      return ids.sort();
    };
    const right = [...state.rows.values()].filter(({ entry }) => entry?.title === 'odd').map(({ id }) => id);
    expect(index.progress.state).toBe('building');
    expect(hits()).toEqual(right.sort());
    while (!index.index) await turn();
    expect(hits()).toEqual(right);
    expect(await run(false)).toMatchObject({ ok: true, faults: [] });
    expect(state.tags.has('nobody')).toBe(false);
    index.stop();
  });

  it('[P52] answer text queries by a scan until the text index is built, with the same hits, and health tells how far it is', async () => {
    const store = memoryStore();
    const first = await openKb({ store });
    const titles = ['disk full', 'Disk', 'full of disks', 'nothing', 'swap'];
    await Promise.all(
      Array.from({ length: 3_000 }, (_, n) => first.put({ id: `id-${n}`, title: titles[n % 5]!, body: `n${n}` })),
    );
    const kb = await openKb({ store });
    const queries = [{ text: 'disk' }, { text: 'disk full', limit: 100 }, { text: 'n17 n18 swap' }, { text: 'absent' }];
    expect(kb.health().textIndex).toEqual({ state: 'building', indexed: 0 });
    const scanned = queries.map((query) => kb.query(query));
    while (kb.health().textIndex.state === 'building') await turn();
    expect(kb.health().textIndex).toEqual({ state: 'ready', indexed: 3_000 });
    expect(queries.map((query) => kb.query(query))).toEqual(scanned);
    expect(scanned[0]!.total).toBe(1_200);
    await kb.close();
    await first.close();
  });

  it('[P52] finds prefixes and near words only where the options ask for them', () => {
    const entry = { id: 'a', title: 'Kubernetes evicted' };
    const found = (options: Parameters<typeof matchingOf>[0], term: string): boolean => {
      const index = new TextIndex(matchingOf(options));
      index.add('a', entry);
      let hit = false;
      index.search([term], 1, () => {
        hit = true;
      });
      return hit;
    };
    expect([found({}, 'kube'), found({ prefix: true }, 'kube')]).toEqual([false, true]);
    expect([found({}, 'evictet'), found({ fuzzy: 1 }, 'evictet')]).toEqual([false, true]);
  });
});

describe('State', () => {
  it('[P39] is never moved back by a late old event, and never resurrects what was deleted', () => {
    const state = new State();
    state.apply(row('a', 1, 'one', ['x']), 0);
    state.apply({ id: 'a', rev: 2, op: 'd', at: 0, purgeAt: 1_000 }, 0);
    expect(state.apply(row('a', 1, 'one', ['x']), 0)).toBeUndefined();
    expect([state.live, state.tags.size]).toEqual([0, 0]);
    state.apply(row('a', 3, 'again', ['y']), 0);
    expect(state.apply({ id: 'a', rev: 2, op: 'd', at: 0, purgeAt: 1_000 }, 5_000)).toBeUndefined();
    expect(state.rows.get('a')?.rev).toBe(3);
    // Once the store may have forgotten the tombstone, an entry created anew is taken; the deleted one still is not.
    state.apply({ id: 'b', rev: 2, op: 'd2', prior: ['b.1'], at: 0, purgeAt: 1_000 }, 0);
    expect(state.apply({ ...row('b', 1, 'old'), at: 2_000 }, 5_000)).toBeUndefined();
    expect(state.apply({ ...row('b', 1, 'new'), op: 'fresh', at: 2_000 }, 5_000)).toMatchObject({ id: 'b' });
  });

  it('[P39] forgets only what is still as it was when the store was asked', () => {
    const state = new State();
    state.apply(row('a', 1, 'one'), 0);
    const seen = state.rows.get('a');
    state.apply(row('a', 2, 'two'), 0);
    expect(state.forget('a', seen)).toBeUndefined();
    expect(state.forget('a', state.rows.get('a'))).toMatchObject({ id: 'a', after: undefined });
  });
});
