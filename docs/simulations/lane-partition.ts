/**
 * A model, not a measurement: an hour of a million alerts on one instance, on three that share every lane through MongoDB, and on
 * three where each lane belongs to one of them. Its inputs are the constants below. `node --import tsx docs/simulations/lane-partition.ts`
 * prints the table that the page on growing shows; a test runs it and compares.
 */
import { Heap } from './heap.ts';

/** Milliseconds, unless a name says otherwise. */
const INPUTS = {
  alertsPerHour: 1_000_000,
  alertsPerPost: 3.6,
  /** A share of the posts comes a second time, from the other Alertmanager of the pair, this much later. */
  peerCopies: 0.02,
  peerCopyAfter: 500,
  /** Ten times the rate for a minute. */
  storm: { from: 20 * 60_000, to: 21 * 60_000, times: 10 },
  /** One instance is killed half-way. */
  deathAt: 30 * 60_000,
  /** What the event loop does for a post: parsing, keys, answering. */
  cpu: 1.2,
  /** One round trip to MongoDB with majority and journal, and to a local disk with fdatasync: median and p99. */
  mongo: { p50: 3.2, p99: 12 },
  disk: { p50: 0.6, p99: 3.2 },
  /** How long until a waiter in another instance hears that a lane is free. */
  crossInstanceWake: 5,
  /** Alertmanager's first retry after a failed post. */
  retryAfter: 500,
  /** How long a dead owner's lane stays claimed, and how long until somebody else owns its partition. */
  lease: 30_000,
  partitionMoves: 10_000,
  /** How long until the balancer leaves a dead instance out; a refused connection is tried elsewhere at the next retry. */
  balancerNotices: 2_000,
};

export interface Result {
  readonly posts: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Posts that waited for their lane in another instance. */
  readonly crossWaits: number;
  /** Posts that had to be sent again because of the death. */
  readonly resent: number;
  /** The busiest instance's share of its event loop, over the hour and in the storm's minute. */
  readonly busy: number;
  readonly busyInStorm: number;
  /** Posts of one lane that became durable in another order than they were first taken up. */
  readonly outOfOrder: number;
}

/** Alertmanager posts a group once a group_interval: a million an hour are some ten thousands of groups, none of them hot. */
const LOADS = {
  'as Alertmanager posts: 60,000 groups, all alike': { lanes: 60_000, skew: 0 },
  'another sender: 5,000 lanes, a few of them hot': { lanes: 5_000, skew: 1 },
};

type Load = (typeof LOADS)[keyof typeof LOADS];

type Shape = 'one, files' | 'three share every lane' | 'three, a lane has an owner';

interface Post {
  readonly arrived: number;
  readonly lane: number;
  readonly n: number;
}

/** Runs the model for this many simulated minutes. */
export function simulate(shape: Shape, load: Load, minutes = 60, seed = 7): Result {
  const random = mulberry(seed);
  const count = shape === 'one, files' ? 1 : 3;
  const trip = shape === 'one, files' ? INPUTS.disk : INPUTS.mongo;
  const freeAt = new Array<number>(count).fill(0);
  const busy = new Array<number>(count).fill(0);
  const stormBusy = new Array<number>(count).fill(0);
  /** Until when a lane is claimed, and by which instance. */
  const claimed = new Map<number, { until: number; by: number }>();
  const lastDurable = new Map<number, number>();
  const events = new Heap<{ at: number; post: Post }>((a, b) => a.at - b.at);
  const weights = cumulative(load);
  const dies = count > 1 ? Math.min(INPUTS.deathAt, (minutes / 2) * 60_000) : Number.POSITIVE_INFINITY;
  const dead = 1;
  const latencies: number[] = [];
  let [crossWaits, resent, outOfOrder, posts] = [0, 0, 0, 0];

  const perMs = INPUTS.alertsPerHour / INPUTS.alertsPerPost / 3_600_000;
  for (let at = 0; at < minutes * 60_000; ) {
    const storm = at >= INPUTS.storm.from && at < INPUTS.storm.to;
    at += -Math.log(1 - random()) / (perMs * (storm ? INPUTS.storm.times : 1));
    const lane = pick(weights, random());
    const post = { arrived: at, lane, n: posts++ };
    events.push({ at, post });
    if (random() < INPUTS.peerCopies) {
      const copy = { ...post, arrived: at + INPUTS.peerCopyAfter, n: posts++ };
      events.push({ at: copy.arrived, post: copy });
    }
  }

  for (let event = events.pop(); event; event = events.pop()) {
    const { at, post } = event;
    const instance = route(shape, count, post.lane, at, dies, dead, random);
    // Refused: the instance is gone, and whoever routes does not know it yet.
    if (instance === dead && at >= dies) {
      resent++;
      events.push({ at: at + INPUTS.retryAfter, post });
      continue;
    }
    const begun = Math.max(at, freeAt[instance]!);
    freeAt[instance] = begun + INPUTS.cpu;
    busy[instance]! += INPUTS.cpu;
    if (at >= INPUTS.storm.from && at < INPUTS.storm.to) stormBusy[instance]! += INPUTS.cpu;

    let claimAt = begun + INPUTS.cpu;
    const held = claimed.get(post.lane);
    if (held && held.until > claimAt) {
      const elsewhere = held.by !== instance;
      if (elsewhere) crossWaits++;
      claimAt = held.until + (elsewhere ? INPUTS.crossInstanceWake : 0);
    }
    const durable = claimAt + lognormal(trip, random) + lognormal(trip, random);
    if (instance === dead && begun < dies && durable > dies) {
      // Killed in it: the sender sees a reset and posts again; the lane stays claimed until its lease ends.
      resent++;
      if (shape === 'three share every lane') claimed.set(post.lane, { until: dies + INPUTS.lease, by: dead });
      events.push({ at: dies + INPUTS.retryAfter, post });
      continue;
    }
    claimed.set(post.lane, { until: durable, by: instance });
    if (durable < (lastDurable.get(post.lane) ?? 0)) outOfOrder++;
    lastDurable.set(post.lane, durable);
    latencies.push(durable - post.arrived);
  }

  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    posts,
    p50: at(0.5),
    p99: at(0.99),
    worst: at(1),
    crossWaits,
    resent,
    busy: Math.max(...busy) / (minutes * 60_000),
    busyInStorm: Math.max(...stormBusy) / (INPUTS.storm.to - INPUTS.storm.from),
    outOfOrder,
  };
}

/** The page's tables. */
export function table(minutes = 60): string {
  const shapes: Shape[] = ['one, files', 'three share every lane', 'three, a lane has an owner'];
  const tables = Object.entries(LOADS).map(([name, load]) => {
    const rows = shapes.map((shape) => {
      const result = simulate(shape, load, minutes);
      const cells = [
        shape,
        `${result.p50.toFixed(1)} / ${result.p99.toFixed(0)} ms`,
        result.worst < 1000 ? `${result.worst.toFixed(0)}\u00a0ms` : `${(result.worst / 1000).toFixed(1)}\u00a0s`,
        `${(result.busy * 100).toFixed(0)} % / ${(result.busyInStorm * 100).toFixed(0)} %`,
        result.crossWaits.toLocaleString('en-US'),
        result.resent.toLocaleString('en-US'),
        String(result.outOfOrder),
      ];
      return `| ${cells.join(' | ')} |`;
    });
    return `**${name}**

| Instances | until durable, p50 / p99 | worst | busiest event loop, hour / storm | waited for a lane elsewhere | sent again | out of order |
|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
  });
  return tables.join('\n');
}

function route(
  shape: Shape,
  count: number,
  lane: number,
  at: number,
  dies: number,
  dead: number,
  random: () => number,
): number {
  if (count === 1) return 0;
  if (shape === 'three, a lane has an owner') {
    const moved = at >= dies + INPUTS.partitionMoves;
    return owner(lane, moved ? [0, 2] : [0, 1, 2]);
  }
  const choices = at >= dies + INPUTS.balancerNotices ? [0, 1, 2].filter((each) => each !== dead) : [0, 1, 2];
  return choices[Math.floor(random() * choices.length)]!;
}

/** Rendezvous hashing: when one of three goes, only its own lanes move. */
function owner(lane: number, instances: readonly number[]): number {
  const score = (instance: number) => Math.imul((lane + 1) * 2_654_435_761 + instance * 40_503, 2_246_822_519) >>> 0;
  return instances.reduce((best, each) => (score(each) > score(best) ? each : best));
}

/** Cumulative weights of lanes, the n-th 1/n^skew as busy as the first. */
function cumulative({ lanes, skew }: Load): Float64Array {
  const sums = new Float64Array(lanes);
  let sum = 0;
  for (let n = 0; n < lanes; n++) sums[n] = sum += 1 / (n + 1) ** skew;
  return sums.map((value) => value / sum);
}

function pick(sums: Float64Array, at: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Log-normal with this median and p99. */
function lognormal({ p50, p99 }: { p50: number; p99: number }, random: () => number): number {
  const sigma = Math.log(p99 / p50) / 2.326;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return p50 * Math.exp(sigma * normal);
}

/** A small generator with a seed: the same hour each time. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (process.argv[1]?.endsWith('lane-partition.ts')) process.stdout.write(table());
