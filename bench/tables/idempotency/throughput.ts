import { growth, interleave } from '../../runner/statistics.ts';
import type { Row, Spread, Table } from '../../runner/table.ts';
import { holdfast, lruCache, lruCacheUnsized, nodeIdempotency, type Peer, powertools } from './peers/peers.ts';

const SIZES = [10_000, 100_000];
const PEERS = [holdfast, lruCache, lruCacheUnsized, nodeIdempotency, powertools];
/** A round of 100,000 keys takes the peers five seconds. */
const ROUNDS = { quick: { rounds: 5, warmUp: 3 }, small: { rounds: 9, warmUp: 4 }, large: { rounds: 2, warmUp: 1 } };
const VALUES = {
  string: 'a receipt of some fifty characters, as services give',
  object: {
    id: 'r_123',
    amount: 4_200,
    currency: 'eur',
    lines: [
      { sku: 'a', n: 1 },
      { sku: 'b', n: 2 },
    ],
  },
} as const;

export const table: Table = {
  name: 'idempotency/throughput',
  title: 'First runs and replays per second, in memory',
  about:
    'One caller after another: each key once (first run: claim, an asynchronous function that does nothing, settle), then each key again (replay). ' +
    'Counted per second of processor time, garbage collection included and after warm-up rounds, so that the rest of the machine does not matter. Objects have rows of their own, because ours gives every caller a copy and lru-cache the same object. Peers do what they are shipped for: ' +
    'node-idempotency and Powertools hash what is asked.',
  columns: [
    { name: 'first run', unit: 'ops/s', better: 'higher' },
    { name: 'replay', unit: 'ops/s', better: 'higher' },
  ],
  async run({ quick, log }) {
    const rows: Row[] = [];
    const points: { x: number; y: number }[] = [];
    const medians = new Map<string, { first: number; replay: number }>();
    for (const [kind, value] of Object.entries(VALUES))
      for (const keys of quick ? [SIZES[0]!] : SIZES) {
        const plan = quick ? ROUNDS.quick : keys > 50_000 ? ROUNDS.large : ROUNDS.small;
        const replays = new Map<string, number[]>(PEERS.map(({ who }) => [who, []]));
        const cases = Object.fromEntries(
          PEERS.map((peer) => [
            peer.who,
            async (round: number) => {
              const { first, replay } = await measure(peer, keys, value);
              if (round >= plan.warmUp) replays.get(peer.who)!.push(replay);
              return first;
            },
          ]),
        );
        const firsts = await interleave(cases, plan);
        for (const { who, kind: role } of PEERS) {
          const replay = spreadOf(replays.get(who)!);
          rows.push({
            who,
            kind: role,
            size: `${keys.toLocaleString('en')} keys, ${kind} values`,
            cells: { 'first run': firsts[who]!, replay },
          });
          medians.set(`${who} ${kind} ${keys}`, { first: firsts[who]!.median, replay: replay.median });
          if (who === holdfast.who && kind === 'string') points.push({ x: keys, y: 1e6 / firsts[who]!.median });
        }
        log(`${keys} ${kind} values done`);
      }
    const of = (peer: Peer, kind = 'string') => medians.get(`${peer.who} ${kind} ${SIZES[0]}`)!;
    const ratio = (peer: Peer, what: 'first' | 'replay', kind?: string): number =>
      of(holdfast, kind)[what] / of(peer, kind)[what];
    const target = (claim: string, peer: Peer, what: 'first' | 'replay', least: number) => {
      const measured = ratio(peer, what);
      return { claim, measured: `${measured.toFixed(2)} x`, met: measured >= least };
    };
    return {
      rows,
      growth: points.length > 1 ? [growth('microseconds of a first run', points)] : [],
      targets: [
        target('first runs at least 0.5 x raw lru-cache, string values', lruCache, 'first', 0.5),
        target('replays at least 0.8 x raw lru-cache, string values', lruCache, 'replay', 0.8),
        target('first runs at least 4 x node-idempotency', nodeIdempotency, 'first', 4),
        target('replays at least 4 x node-idempotency', nodeIdempotency, 'replay', 4),
        target('first runs at least 4 x Powertools', powertools, 'first', 4),
        target('replays at least 4 x Powertools', powertools, 'replay', 4),
      ],
      notes: [
        'lru-cache is the floor, not a peer: two concurrent callers both run, and a crash or a failure is not told from an answer.',
        'What the rows do: lru-cache gets, else awaits the function and sets, bounded by entries, bytes (with a size calculated) and age as ours is; the second row leaves the bytes out. Each call is awaited by one caller, and the function is the same.',
        'Why first runs are behind lru-cache: the guarantees of one run, of a lease and of fencing. Measured apart, on top of the raw row’s 480 to 700 ns: noting what is in flight in two maps, for duplicates and against eviction, 100 to 150 ns; two readings of the clock, where the lease begins and where the answer’s age does (lru-cache reads it once a millisecond), 120 ns; a promise that can be rejected while the function still runs (lease lost, maxRunMs), 150 ns. With the owner’s record, token and operation a first run allocates 2.3 KB, and collecting it is 22 % of its time.',
        'Replays read the same lru-cache and the time that the last replay of the millisecond read; the rest is the check of the key.',
        'Powertools is timed with a layer that keeps its records as objects in this process; its own layers are DynamoDB and Redis.',
        `Objects: our replays are ${ratio(lruCache, 'replay', 'object').toFixed(2)} x lru-cache, which hands out one object to everybody; the price of a copy each.`,
      ],
    };
  },
};

async function measure(peer: Peer, keys: number, value: unknown): Promise<{ first: number; replay: number }> {
  const { run, close } = peer.make(keys);
  const names = Array.from({ length: keys }, (_, n) => `order ${n}`);
  const work = async (): Promise<unknown> => value;
  const pass = async (): Promise<number> => {
    const before = process.cpuUsage();
    for (const name of names) await run(name, work);
    const { user, system } = process.cpuUsage(before);
    return keys / ((user + system) / 1_000_000);
  };
  const first = await pass();
  const replay = await pass();
  await close?.();
  return { first, replay };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)!, rounds: sorted.length };
}
