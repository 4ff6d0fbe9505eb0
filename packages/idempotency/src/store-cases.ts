// Longer than 300 lines: one list of cases, each of a few lines, that is read as a page.
import type { Claim, ClaimRequest } from './decide.js';
import type { LaneTerms } from './key.js';
import type { Deadline, MaybePromise, OpenStore } from './store.js';

/** What a conformance case runs on. */
export interface StoreUnderTest {
  /** Opens the same store again and again; two opened with one namespace share their keys. */
  open(namespace: string): MaybePromise<OpenStore>;
  /** Lets at least `ms` milliseconds pass on the store's clock. */
  pass(ms: number): MaybePromise<void>;
}

/** A rule that every store keeps; `run` rejects if it does not. Free of any test runner. */
export interface StoreCase {
  readonly name: string;
  run(make: () => MaybePromise<StoreUnderTest>): Promise<void>;
}

/** Never ends; a signal for each operation, because drivers listen to it. */
const DEADLINE: Deadline = {
  get signal() {
    return new AbortController().signal;
  },
};
/** Long enough for a store over a network, on a loaded machine. */
const LONG_MS = 60_000;
const SHORT_MS = 40;
let named = 0;

/** A store under test with one namespace open, in the words of a caller. */
class Bench {
  readonly under: StoreUnderTest;
  readonly store: OpenStore;

  constructor(under: StoreUnderTest, store: OpenStore) {
    this.under = under;
    this.store = store;
  }

  claim(key: string, more: Partial<ClaimRequest> = {}): Promise<Claim> {
    const n = ++named;
    const request = {
      token: `t${n}`,
      id: `i${n}`,
      state: '',
      lane: undefined,
      leaseMs: LONG_MS,
      keepMs: LONG_MS,
      ...more,
    };
    return Promise.resolve(this.store.claim(key, request, DEADLINE));
  }

  async own(key: string, token: string, more: Partial<ClaimRequest> = {}): Promise<Claim & { verdict: 'mine' }> {
    const claim = await this.claim(key, { token, id: `id of ${token}`, ...more });
    if (claim.verdict !== 'mine') throw new Error(`claim of a free key ${key} was answered ${claim.verdict}`);
    return claim;
  }

  settle = async (key: string, token: string, value: string, ttlMs = LONG_MS): Promise<boolean> =>
    this.store.settle(key, token, value, ttlMs, DEADLINE);
  renew = async (key: string, token: string, leaseMs = LONG_MS): Promise<boolean> =>
    this.store.renew(key, token, leaseMs, LONG_MS, DEADLINE);
  release = async (key: string, token: string, keepMs = LONG_MS): Promise<boolean> =>
    this.store.release(key, token, keepMs, DEADLINE);
  step = async (key: string, token: string, name: string, value: string): Promise<boolean> =>
    this.store.step(key, token, name, value, DEADLINE);
}

function rule(name: string, run: (bench: Bench) => Promise<void>): StoreCase {
  return {
    name,
    async run(make) {
      const under = await make();
      const store = await under.open('conformance');
      try {
        await run(new Bench(under, store));
      } finally {
        await store.close();
      }
    },
  };
}

const lane = (more: Partial<LaneTerms> = {}): LaneTerms => ({
  windowMs: LONG_MS,
  late: undefined,
  repeat: undefined,
  ...more,
});

/** The conformance cases of a store, for `memoryStore`, `fileStore`, `mongoStore` and yours. Each uses keys of its own. */
export const storeCases: readonly StoreCase[] = [
  rule('gives a free key to its claimant, with attempt 1, the id offered and no steps', async (bench) => {
    const claim = await bench.claim('free', { token: 'a', id: 'the id' });
    same(claim, { verdict: 'mine', id: 'the id', attempt: 1, steps: [], reason: 'first' });
  }),
  rule('tells others that the key is busy, and for how long at most', async (bench) => {
    await bench.own('busy', 'a');
    const claim = await bench.claim('busy');
    expect(
      claim.verdict === 'busy' && claim.leftMs > 0 && claim.leftMs <= LONG_MS,
      `answered ${JSON.stringify(claim)}`,
    );
  }),
  rule('recalls nothing but what a claim would be answered, if it recalls at all', async (bench) => {
    const { store } = bench;
    same(store.recall?.('recalled'), undefined);
    await bench.own('recalled', 'a');
    same(store.recall?.('recalled'), undefined);
    await bench.settle('recalled', 'a', 'the answer');
    const recalled = store.recall?.('recalled');
    const claim = await bench.claim('recalled');
    if (recalled) same([recalled.value, recalled.attempt], claim.verdict === 'done' && [claim.value, claim.attempt]);
    await store.forget('recalled', DEADLINE);
    same(store.recall?.('recalled'), undefined);
  }),
  rule('answers the same token again as it did: an answer that got lost can be asked for', async (bench) => {
    const first = await bench.own('again', 'a');
    const second = await bench.claim('again', { token: 'a', id: 'other' });
    same([second.verdict, (second as typeof first).id, (second as typeof first).attempt], ['mine', first.id, 1]);
  }),
  rule('gives what was settled to every later claim', async (bench) => {
    await bench.own('settled', 'a');
    same(await bench.settle('settled', 'a', 's the value'), true);
    for (let at = 0; at < 2; at++) {
      const claim = await bench.claim('settled');
      expect(
        claim.verdict === 'done' && claim.value === 's the value' && claim.attempt === 1 && claim.ageMs >= 0,
        JSON.stringify(claim),
      );
    }
  }),
  rule('frees a key when the lease ends, for one with the next attempt, the same id and the steps', async (bench) => {
    await bench.own('dead', 'a', { leaseMs: 1_000 });
    same(await bench.step('dead', 'a', 'one', 's1'), true);
    await bench.under.pass(1_000 + SHORT_MS);
    const claim = await bench.claim('dead');
    same(claim, { verdict: 'mine', id: 'id of a', attempt: 2, steps: [['one', 's1']], reason: 'takeover' });
  }),
  rule('refuses everything from an owner that was replaced, and does not disturb its successor', async (bench) => {
    await bench.own('stale', 'a', { leaseMs: SHORT_MS });
    await bench.under.pass(2 * SHORT_MS);
    await bench.own('stale', 'b');
    const refused = [
      bench.renew('stale', 'a'),
      bench.step('stale', 'a', 'x', 's'),
      bench.release('stale', 'a'),
      bench.settle('stale', 'a', 's old'),
    ];
    for (const answer of refused) same(await answer, false);
    same((await bench.claim('stale')).verdict, 'busy');
    same(await bench.settle('stale', 'b', 's new'), true);
    same(((await bench.claim('stale')) as { value?: string }).value, 's new');
    for (const answer of [
      bench.renew('stale', 'b'),
      bench.release('stale', 'b'),
      bench.settle('stale', 'b', 's twice'),
    ])
      same(await answer, false);
  }),
  rule('refuses everything for a key that nobody claimed', async (bench) => {
    for (const answer of [
      bench.renew('none', 'a'),
      bench.step('none', 'a', 'x', 's'),
      bench.release('none', 'a'),
      bench.settle('none', 'a', 's'),
    ])
      same(await answer, false);
    same((await bench.claim('none')).verdict, 'mine');
  }),
  rule('keeps a renewed lease past its first end', async (bench) => {
    await bench.own('renewed', 'a', { leaseMs: 2_000 });
    same(await bench.renew('renewed', 'a', LONG_MS), true);
    await bench.under.pass(2_000 + SHORT_MS);
    same((await bench.claim('renewed')).verdict, 'busy');
  }),
  rule('lets an owner settle after its lease as long as nobody took over', async (bench) => {
    await bench.own('tardy', 'a', { leaseMs: SHORT_MS });
    await bench.under.pass(2 * SHORT_MS);
    same(await bench.settle('tardy', 'a', 's late'), true);
    same((await bench.claim('tardy')).verdict, 'done');
  }),
  rule('keeps id and steps of a released run, and is free at once', async (bench) => {
    await bench.own('released', 'a');
    await bench.step('released', 'a', 'one', 's1');
    await bench.step('released', 'a', 'two', 's2');
    same(await bench.release('released', 'a'), true);
    const claim = await bench.claim('released');
    same(claim, {
      verdict: 'mine',
      id: 'id of a',
      attempt: 2,
      steps: [
        ['one', 's1'],
        ['two', 's2'],
      ],
      reason: 'retry',
    });
  }),
  rule('forgets a result when its time is over: the next run has a new id', async (bench) => {
    await bench.own('expired', 'a');
    await bench.settle('expired', 'a', 's old', SHORT_MS);
    await bench.under.pass(2 * SHORT_MS);
    same(await bench.claim('expired', { id: 'new' }), {
      verdict: 'mine',
      id: 'new',
      attempt: 1,
      steps: [],
      reason: 'first',
    });
  }),
  rule(
    'has one owner among 50 racing claims: of a free key, after a dead owner, and after an expired result',
    async (bench) => {
      const race = async (key: string): Promise<string> => {
        const claims = await Promise.all(Array.from({ length: 50 }, () => bench.claim(key)));
        return JSON.stringify([
          claims.filter(({ verdict }) => verdict === 'mine').length,
          claims.filter(({ verdict }) => verdict === 'busy').length,
        ]);
      };
      same(await race('race 1'), '[1,49]');
      await bench.own('race 2', 'a', { leaseMs: SHORT_MS });
      await bench.own('race 3', 'a');
      await bench.settle('race 3', 'a', 's', SHORT_MS);
      await bench.under.pass(2 * SHORT_MS);
      same(await race('race 2'), '[1,49]');
      same(await race('race 3'), '[1,49]');
    },
  ),
  rule('has one owner among 50 racing claims of a lane, of equal and of different states', async (bench) => {
    const claims = await Promise.all(
      Array.from({ length: 50 }, (_, n) => bench.claim('lane race', { state: `s${n % 2}`, lane: lane() })),
    );
    same(claims.filter(({ verdict }) => verdict === 'mine').length, 1);
    same(claims.filter(({ verdict }) => verdict === 'busy').length, 49);
  }),
  rule('runs one state of a lane at a time, and a change as soon as it is free', async (bench) => {
    await bench.own('changes', 'a', { state: 'firing', lane: lane() });
    same((await bench.claim('changes', { state: 'resolved', lane: lane() })).verdict, 'busy');
    await bench.settle('changes', 'a', 's1');
    const changed = await bench.claim('changes', { token: 'b', state: 'resolved', lane: lane() });
    same([changed.verdict, (changed as { reason?: string }).reason], ['mine', 'state-changed']);
    await bench.settle('changes', 'b', 's2');
    const back = await bench.claim('changes', { state: 'firing', lane: lane() });
    same([back.verdict, (back as { reason?: string }).reason], ['mine', 'state-changed']);
  }),
  rule("absorbs a lane's last state within the window, and runs it again after it", async (bench) => {
    await bench.own('window', 'a', { state: 's', lane: lane() });
    await bench.settle('window', 'a', 's1');
    const copy = await bench.claim('window', { state: 's', lane: lane() });
    same([copy.verdict, (copy as { reason?: string }).reason], ['done', 'same-state']);
    await bench.under.pass(SHORT_MS);
    const over = await bench.claim('window', { state: 's', lane: lane({ windowMs: 1 }) });
    same([over.verdict, (over as { reason?: string }).reason], ['mine', 'window-over']);
  }),
  rule('absorbs a state that a lane has left, from another sender only', async (bench) => {
    const from = (sender: string): LaneTerms => lane({ late: { ms: LONG_MS, sender } });
    for (const [token, state] of [
      ['a', 'firing'],
      ['b', 'resolved'],
    ] as const) {
      await bench.own('late', token, { state, lane: from('peer 1') });
      await bench.settle('late', token, `s${state}`);
    }
    const stale = await bench.claim('late', { state: 'firing', lane: from('peer 2') });
    same(
      [stale.verdict, (stale as { reason?: string }).reason, (stale as { value?: string }).value],
      ['done', 'stale-sender', 'sfiring'],
    );
    same((await bench.claim('late', { state: 'firing', lane: from('peer 1') })).verdict, 'mine');
  }),
  rule('runs an intended repeat within the window, and absorbs its copy', async (bench) => {
    const repeat = lane({ repeat: { ms: LONG_MS } });
    await bench.own('repeat', 'a', { state: 's', lane: lane() });
    await bench.settle('repeat', 'a', 's1');
    const meant = await bench.claim('repeat', { token: 'b', state: 's', lane: repeat });
    same([meant.verdict, (meant as { reason?: string }).reason], ['mine', 'repeat']);
    await bench.settle('repeat', 'b', 's2');
    const copy = await bench.claim('repeat', { state: 's', lane: repeat });
    same([copy.verdict, (copy as { reason?: string }).reason], ['done', 'copy-of-repeat']);
  }),
  rule('refuses another fingerprint, in flight and settled; without one any matches', async (bench) => {
    await bench.own('print', 'a', { state: 'f1' });
    same((await bench.claim('print', { state: 'f2' })).verdict, 'reused');
    same((await bench.claim('print')).verdict, 'busy');
    await bench.settle('print', 'a', 's');
    same((await bench.claim('print', { state: 'f2' })).verdict, 'reused');
    same((await bench.claim('print', { state: 'f1' })).verdict, 'done');
    same((await bench.claim('print')).verdict, 'done');
  }),
  rule('keeps keys and values that look like operators, paths or markup as they are', async (bench) => {
    const odd = [
      '$run',
      '{"$set":1}',
      '$$NOW',
      'a.b',
      '__proto__',
      'constructor',
      '\u0000a',
      'é\u{1f600}',
      ' ',
      'x'.repeat(4_000),
    ];
    for (const key of odd) {
      await bench.own(key, 'a', { state: key });
      await bench.step(key, 'a', key, `s${key}`);
      same(await bench.settle(key, 'a', `s${key}`), true);
    }
    for (const key of odd) same(((await bench.claim(key, { state: key })) as { value?: string }).value, `s${key}`);
  }),
  rule('keeps namespaces apart', async (bench) => {
    await bench.own('shared', 'a');
    const other = await bench.under.open('another');
    const claim = await new Bench(bench.under, other).claim('shared');
    await other.close();
    same(claim.verdict, 'mine');
  }),
  rule('shows a key without taking it, and forgets it on request: its owner is then refused', async (bench) => {
    same(await bench.store.peek('shown', DEADLINE), undefined);
    await bench.own('shown', 'a');
    const seen = await bench.store.peek('shown', DEADLINE);
    expect(seen?.run?.token === 'a' && seen.run.until > seen.now, JSON.stringify(seen));
    same(await bench.store.forget('shown', DEADLINE), true);
    same(await bench.store.forget('shown', DEADLINE), false);
    same(await bench.settle('shown', 'a', 's'), false);
    same((await bench.claim('shown')).verdict, 'mine');
  }),
  rule('can be asked whether it is there', async (bench) => {
    await bench.store.ping(DEADLINE);
    expect(bench.store.stats().evicted === 0, 'something was evicted');
  }),
];

function same(found: unknown, wanted: unknown): void {
  expect(
    JSON.stringify(found) === JSON.stringify(wanted),
    `found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`,
  );
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
