import { randomUUID } from 'node:crypto';
import type { Collection, Document } from 'mongodb';
import type { DeliveryEvent } from './events.js';
import type { AlertDocument } from './mongo-document.js';
import type { Bounds, Counts } from './store.js';

/** What was purged in the lifetime of the store. `ids` are being removed: they are counted here and no longer as documents. */
export interface Totals {
  _id: string;
  delivered?: number;
  coalesced?: number;
  evicted?: number;
  ids?: string[];
  op?: string;
}

const TOTALS = 'totals';
/** Alerts removed in one round. */
const BATCH = 500;
const WRITE = { writeConcern: { w: 'majority' as const, journal: true } };

/** The six counts: the documents by state, and the totals of what was purged. */
export async function countsOf(alerts: Collection<AlertDocument>, meta: Collection<Totals>): Promise<Counts> {
  const totals = await meta.findOne({ _id: TOTALS });
  const ids = totals?.ids ?? [];
  const groups = await alerts
    .aggregate<{ _id: AlertDocument['s']; n: number }>([
      ...(ids.length > 0 ? [{ $match: { _id: { $nin: ids } } }] : []),
      { $group: { _id: '$s', n: { $sum: 1 } } },
    ])
    .toArray();
  const of = (state: AlertDocument['s']): number => groups.find((group) => group._id === state)?.n ?? 0;
  const delivered = of('delivered') + (totals?.delivered ?? 0);
  const coalesced = of('coalesced') + (totals?.coalesced ?? 0);
  const evicted = totals?.evicted ?? 0;
  const pending = of('open');
  const dead = of('dead');
  return { accepted: delivered + coalesced + dead + pending + evicted, delivered, coalesced, dead, pending, evicted };
}

/**
 * Removes what is older or more than history and dead letters may hold, so that no count is lost: first the totals take
 * the ids over, in one write that only one instance can win, then the documents go. A crash between is finished by the next.
 */
export async function purge(
  alerts: Collection<AlertDocument>,
  meta: Collection<Totals>,
  bounds: {
    history: Bounds & { ttlMs: number };
    deadLetters: Bounds;
    nowMs: number;
    onEvent: (event: DeliveryEvent) => void;
  },
): Promise<void> {
  const totals = await meta.findOne({ _id: TOTALS });
  if (totals?.ids && totals.ids.length > 0) await finish(alerts, meta, totals);
  const past = { s: { $in: ['delivered' as const, 'coalesced' as const] } };
  const fields = { projection: { s: 1, sev: 1, reason: 1 } };
  let gone = await alerts
    .find({ ...past, endedAt: { $lte: bounds.nowMs - bounds.history.ttlMs } }, fields)
    .limit(BATCH)
    .toArray();
  if (gone.length === 0) {
    const over = (await alerts.countDocuments(past)) - bounds.history.maxEntries;
    if (over > 0) gone = await alerts.find(past, fields).sort({ endedAt: 1 }).limit(Math.min(over, BATCH)).toArray();
  }
  if (gone.length === 0) {
    const over = (await alerts.countDocuments({ s: 'dead' })) - bounds.deadLetters.maxEntries;
    if (over > 0)
      gone = await alerts
        .find({ s: 'dead' }, fields)
        .sort({ rank: -1, endedAt: 1 })
        .limit(Math.min(over, BATCH))
        .toArray();
  }
  if (gone.length === 0) return;
  const count = (state: AlertDocument['s']): number => gone.filter((document) => document.s === state).length;
  const op = randomUUID();
  const ids = gone.map((document) => document._id);
  const take: Document = {
    $inc: { delivered: count('delivered'), coalesced: count('coalesced'), evicted: count('dead') },
    $set: { ids, op },
  };
  await meta.updateOne({ _id: TOTALS }, { $setOnInsert: { ids: [] } }, { upsert: true, ...WRITE });
  const won = await meta.updateOne({ _id: TOTALS, ids: { $size: 0 } }, take, WRITE);
  if (won.modifiedCount === 0) return;
  for (const document of gone) {
    if (document.s === 'dead')
      bounds.onEvent({
        type: 'dead-letter.evicted',
        id: document._id,
        severity: document.sev,
        reason: document.reason ?? '',
        why: 'count',
      });
  }
  await finish(alerts, meta, { _id: TOTALS, ids, op });
}

async function finish(alerts: Collection<AlertDocument>, meta: Collection<Totals>, totals: Totals): Promise<void> {
  await alerts.deleteMany({ _id: { $in: totals.ids ?? [] } }, WRITE);
  await meta.updateOne({ _id: TOTALS, op: totals.op ?? '' }, { $set: { ids: [] } }, WRITE);
}
