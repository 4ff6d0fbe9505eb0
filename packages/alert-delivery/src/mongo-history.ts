import type { Document } from 'mongodb';
import type { StoredAlert } from './alert.js';
import { type AlertRecord, endOf, type LifeEvent, outcomeOf } from './life.js';
import { type AlertDocument, recordFrom } from './mongo-document.js';
import { type Place, READ } from './mongo-place.js';
import type { DeadFilter, RecentEntry } from './store.js';

/** One alert with its events; without its body once it was evicted. */
export async function findAlert({ alerts }: Place, id: string): Promise<AlertRecord | undefined> {
  const document = await alerts.findOne({ _id: id }, READ);
  return document ? recordFrom(document) : undefined;
}

/** Dead letters, oldest first. */
export async function* deadAlerts(
  { alerts }: Place,
  filter: DeadFilter,
): AsyncIterable<AlertRecord & { readonly alert: StoredAlert }> {
  const { ids, severity, reason, since, until, limit } = filter;
  const ended = { ...(since !== undefined && { $gte: since }), ...(until !== undefined && { $lte: until }) };
  const query: Document = {
    s: 'dead',
    ...(ids && { _id: { $in: [...ids] } }),
    ...(reason !== undefined && { reason }),
    ...(severity !== undefined && { sev: typeof severity === 'string' ? severity : { $in: [...severity] } }),
    ...(Object.keys(ended).length > 0 && { endedAt: ended }),
  };
  const found = alerts
    .find(query, READ)
    .sort({ endedAt: 1 })
    .limit(limit ?? 0);
  for await (const document of found) {
    const record = recordFrom(document);
    if (record.alert) yield { ...record, alert: record.alert };
  }
}

/** Newest first. */
export async function* recentAlerts({ alerts }: Place, limit: number): AsyncIterable<RecentEntry> {
  if (limit <= 0) return;
  const projection = { at: 1, title: 1, sev: 1, s: 1, endedAt: 1, log: 1 };
  for await (const document of alerts
    .find({}, { projection, ...READ })
    .sort({ at: -1 })
    .limit(limit)) {
    const { _id: id, at, title, sev, s, endedAt, log } = document;
    const outcome = outcomeOf(
      id,
      log.map((line) => JSON.parse(line) as LifeEvent),
    );
    yield {
      id,
      acceptedAt: at,
      title,
      severity: sev,
      status: s === 'open' ? 'pending' : s === 'evicted' ? 'dead' : s,
      ...(endedAt !== undefined && { endedAt }),
      ...(outcome && { outcome }),
    };
  }
}

/** Where the last delivered firing of each key went, of those that are not resolved. */
export async function firingChannels({ alerts }: Place, keys: readonly string[]): Promise<Map<string, string>> {
  const last = await alerts
    .aggregate<{ _id: string; st?: string; chan?: string }>(
      [
        { $match: { key: { $in: [...keys] }, s: { $in: ['delivered', 'coalesced'] } } },
        { $sort: { key: 1, endedAt: 1, at: 1 } },
        { $group: { _id: '$key', st: { $last: '$st' }, chan: { $last: '$chan' } } },
      ],
      READ,
    )
    .toArray();
  return new Map(
    last.flatMap(({ _id, st, chan }) => (st !== 'resolved' && chan !== undefined ? [[_id, chan] as const] : [])),
  );
}

/** Compares the state of each document with what its events say. */
export async function auditAlerts(
  { alerts }: Place,
  onProgress?: (checked: number) => void,
): Promise<{ checked: number; problems: string[] }> {
  const problems: string[] = [];
  let checked = 0;
  for await (const document of alerts.find({}, READ)) {
    const problem = problemOf(document);
    if (problem) problems.push(`alert '${document._id}' ${problem}`);
    onProgress?.(++checked);
  }
  return { checked, problems };
}

function problemOf(document: AlertDocument): string | undefined {
  const { s, due } = document;
  let record: AlertRecord;
  try {
    record = recordFrom(document);
  } catch (error) {
    return `can not be read: ${String(error)}`;
  }
  const end = endOf(record.events)?.type;
  if (s !== 'evicted' && !record.alert) return 'has no alert in it';
  if (s === 'open') return end ? `is pending and says that it is ${end}` : due ? undefined : 'is pending and never due';
  return (s === 'evicted' ? 'dead' : s) === end ? undefined : `is ${s} and its events say ${end ?? 'pending'}`;
}
