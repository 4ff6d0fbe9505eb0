import { randomUUID } from 'node:crypto';
import type { Document } from 'mongodb';
import type { Severity } from './alert.js';
import type { DeliveryEvent } from './events.js';
import type { AlertDocument } from './mongo-document.js';
import { type Place, totalsOf, WRITE } from './mongo-place.js';
import type { Bounds, Counts, Evictions } from './store.js';

/** What was purged in the lifetime of the store. `ids` are being removed: they are counted here and no longer as documents. */
export interface Totals {
  _id: string;
  delivered?: number;
  coalesced?: number;
  evicted?: number;
  ids?: string[];
  op?: string;
  evictions?: { firstAt?: number; lastAt?: number; bySeverity?: Partial<Record<Severity, number>> };
}

type State = AlertDocument['s'];
type Tally = Readonly<Record<State, { n: number; bytes: number }>>;

interface StoreBounds {
  readonly history: Bounds & { readonly ttlMs: number };
  readonly deadLetters: Bounds;
  readonly nowMs: number;
  readonly onEvent: (event: DeliveryEvent) => void;
}

export const COUNTS_INDEX = 'holdfast_counts';
const TOTALS = 'totals';
/** Alerts removed in one round. */
const BATCH = 500;
const STATES = ['open', 'delivered', 'coalesced', 'dead', 'evicted'] as const satisfies readonly State[];
/** What history is made of. */
const PAST = { s: { $in: ['delivered' as const, 'coalesced' as const, 'evicted' as const] } };

/** Removes what is older or more than history and dead letters may hold, one batch each, and answers the counts. */
export async function keepBounds(
  place: Place,
  bounds: StoreBounds,
): Promise<{ counts: Counts; evictions: Evictions | undefined }> {
  let totals = await totalsOf(place).findOne({ _id: TOTALS });
  if (totals?.ids && totals.ids.length > 0) await finish(place, totals);
  let tally = await tallyOf(place, []);
  const evicted = await evictLetters(place, bounds, tally);
  const forgotten = await forget(place, bounds, tally, totals?.op);
  if (evicted || forgotten || totals?.ids?.length) {
    totals = await totalsOf(place).findOne({ _id: TOTALS });
    tally = await tallyOf(place, totals?.ids ?? []);
  }
  const delivered = tally.delivered.n + (totals?.delivered ?? 0);
  const coalesced = tally.coalesced.n + (totals?.coalesced ?? 0);
  const gone = tally.evicted.n + (totals?.evicted ?? 0);
  const { n: pending } = tally.open;
  const { n: dead } = tally.dead;
  const { firstAt, lastAt, bySeverity } = totals?.evictions ?? {};
  return {
    counts: {
      accepted: delivered + coalesced + dead + pending + gone,
      delivered,
      coalesced,
      dead,
      pending,
      evicted: gone,
    },
    evictions:
      firstAt === undefined || lastAt === undefined ? undefined : { firstAt, lastAt, bySeverity: bySeverity ?? {} },
  };
}

/** How many documents are in which state, from the index alone; `except` are not counted. */
async function tallyOf({ alerts }: Place, except: readonly string[]): Promise<Tally> {
  const group = { $group: { _id: '$s', n: { $sum: 1 }, bytes: { $sum: '$bytes' } } };
  type Row = { _id: State; n: number; bytes: number };
  const rows = await alerts
    .aggregate<Row>([{ $match: { s: { $in: [...STATES] } } }, group], { hint: COUNTS_INDEX })
    .toArray();
  const less =
    except.length === 0
      ? []
      : await alerts.aggregate<Row>([{ $match: { _id: { $in: [...except] } } }, group]).toArray();
  const of = (state: State): { n: number; bytes: number } => {
    const all = rows.find((row) => row._id === state);
    const minus = less.find((row) => row._id === state);
    return { n: (all?.n ?? 0) - (minus?.n ?? 0), bytes: (all?.bytes ?? 0) - (minus?.bytes ?? 0) };
  };
  return {
    open: of('open'),
    delivered: of('delivered'),
    coalesced: of('coalesced'),
    dead: of('dead'),
    evicted: of('evicted'),
  };
}

/** Lowest severity and oldest first. The body goes; id and outcome stay as long as history remembers. */
async function evictLetters(place: Place, bounds: StoreBounds, tally: Tally): Promise<boolean> {
  const { maxEntries, maxBytes } = bounds.deadLetters;
  if (tally.dead.n <= maxEntries && tally.dead.bytes <= maxBytes) return false;
  const letters = await place.alerts
    .find({ s: 'dead' }, { projection: { bytes: 1 } })
    .sort({ rank: -1, endedAt: 1 })
    .limit(BATCH)
    .toArray();
  // Counted again after they are chosen: what others removed in between must not be removed once more, from the rest.
  const { dead } = await tallyOf(place, []);
  let overCount = Math.min(tally.dead.n, dead.n) - maxEntries;
  let overBytes = Math.min(tally.dead.bytes, dead.bytes) - maxBytes;
  const why = overCount > 0 ? 'count' : 'bytes';
  const ids: string[] = [];
  for (const { _id, bytes } of letters) {
    if (overCount <= 0 && overBytes <= 0) break;
    ids.push(_id);
    overCount--;
    overBytes -= bytes;
  }
  if (ids.length === 0) return true;
  const op = randomUUID();
  const log = { $slice: ['$log', -1] };
  await place.alerts.updateMany(
    { _id: { $in: ids }, s: 'dead' },
    [{ $set: { s: 'evicted', op, bytes: 1, log } }, { $unset: ['alert'] }],
    WRITE,
  );
  const mine = await place.alerts.find({ op, s: 'evicted' }, { projection: { sev: 1, reason: 1 } }).toArray();
  for (const { _id: id, sev: severity, reason = '' } of mine)
    bounds.onEvent({ type: 'dead-letter.evicted', id, severity, reason, why });
  const increments: Record<string, number> = {};
  for (const { sev } of mine) {
    const field = `evictions.bySeverity.${sev}`;
    increments[field] = (increments[field] ?? 0) + 1;
  }
  if (mine.length === 0) return true;
  await totalsOf(place).updateOne(
    { _id: TOTALS },
    {
      $inc: increments,
      $min: { 'evictions.firstAt': bounds.nowMs },
      $max: { 'evictions.lastAt': bounds.nowMs },
      $setOnInsert: { ids: [] },
    },
    { upsert: true, ...WRITE },
  );
  return true;
}

/**
 * Forgets the oldest of history, so that no count is lost: first the totals take the ids over, in one write that only one
 * instance can win, then the documents go. A crash between is finished by the next. `since`: the last such write before the
 * tally; after another one the tally is out of date, and the next look decides anew.
 */
async function forget(
  place: Place,
  { history, nowMs }: StoreBounds,
  tally: Tally,
  since: string | undefined,
): Promise<boolean> {
  const states = [tally.delivered, tally.coalesced, tally.evicted];
  let overCount = states.reduce((sum, { n }) => sum + n, 0) - history.maxEntries;
  let overBytes = states.reduce((sum, { bytes }) => sum + bytes, 0) - history.maxBytes;
  const gone: { _id: string; s: State }[] = [];
  const oldest = place.alerts
    .find(PAST, { projection: { s: 1, endedAt: 1, bytes: 1 } })
    .sort({ endedAt: 1 })
    .limit(BATCH);
  for await (const document of oldest) {
    const expired = (document.endedAt ?? 0) <= nowMs - history.ttlMs;
    if (!expired && overCount <= 0 && overBytes <= 0) break;
    gone.push(document);
    overCount--;
    overBytes -= document.bytes;
  }
  if (gone.length === 0) return false;
  const count = (state: State): number => gone.filter((document) => document.s === state).length;
  const op = randomUUID();
  const ids = gone.map((document) => document._id);
  const take: Document = {
    $inc: { delivered: count('delivered'), coalesced: count('coalesced'), evicted: count('evicted') },
    $set: { ids, op },
  };
  const totals = totalsOf(place);
  await totals.updateOne({ _id: TOTALS }, { $setOnInsert: { ids: [] } }, { upsert: true, ...WRITE });
  const won = await totals.updateOne({ _id: TOTALS, ids: { $size: 0 }, op: since ?? { $exists: false } }, take, WRITE);
  if (won.modifiedCount > 0) await finish(place, { _id: TOTALS, ids, op });
  return true;
}

async function finish(place: Place, totals: Totals): Promise<void> {
  await place.alerts.deleteMany({ _id: { $in: totals.ids ?? [] } }, WRITE);
  await totalsOf(place).updateOne({ _id: TOTALS, op: totals.op ?? '' }, { $set: { ids: [] } }, WRITE);
}
