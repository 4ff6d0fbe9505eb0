import { gunzipSync, gzipSync } from 'node:zlib';
import type { Document } from 'mongodb';
import { SEVERITIES, type Severity, type StoredAlert } from './alert.js';
import type { AlertRecord, EndEvent, LifeEvent } from './life.js';
import { literal } from './mongo-place.js';
import { bytesOf } from './sizes.js';

/** One alert. What a person wrote is JSON text, so that no name or value in it means anything to the database. */
export interface AlertDocument {
  _id: string;
  /** `open` alerts are pending; the others have ended. `evicted` ones were dead letters: only id and outcome are left. */
  s: 'open' | 'delivered' | 'coalesced' | 'dead' | 'evicted';
  /** Open: when somebody may claim it, that is the end of the lease. On the server's clock. */
  due?: Date;
  tok?: string;
  by?: string;
  /** How often it was held. */
  att: number;
  /** Epoch milliseconds. */
  at: number;
  endedAt?: number;
  title: string;
  sev: Severity;
  /** Index of the severity: higher goes first when dead letters are evicted. */
  rank: number;
  st?: 'firing' | 'resolved';
  key?: string;
  chan?: string;
  into?: string;
  reason?: string;
  /** Of the alert and its events as JSON. */
  bytes: number;
  /** Absent once evicted. */
  alert?: string | { buffer: Uint8Array } | Uint8Array;
  log: string[];
  /** The last write, to settle by reading back what a broken connection left unknown. */
  op: string;
}

/** Above this the JSON is compressed: a document holds 16 MB. */
const COMPRESS_ABOVE = 256 * 1024;
/** Room for the events beside it. */
const MAX_STORED_BYTES = 14 * 1024 * 1024;

/** The alert as it is stored, or `undefined` when no document can hold it. */
export function packed(alert: StoredAlert): string | Buffer | undefined {
  const json = JSON.stringify(alert);
  if (json.length <= COMPRESS_ABOVE) return json;
  const small = gzipSync(json);
  return small.length > MAX_STORED_BYTES ? undefined : small;
}

/** What a document says; `alert` is there unless it was evicted. */
export function recordFrom(document: Pick<AlertDocument, '_id' | 'at' | 'alert' | 'log'>): AlertRecord {
  const { alert } = document;
  return {
    id: document._id,
    acceptedAt: document.at,
    ...(alert !== undefined && { alert: unpacked(alert) }),
    events: document.log.map((line) => JSON.parse(line) as LifeEvent),
  };
}

/** The record of a document that still has its alert. */
export function wholeRecordFrom(
  document: Pick<AlertDocument, '_id' | 'at' | 'alert' | 'log'>,
): AlertRecord & { readonly alert: StoredAlert } {
  const record = recordFrom(document);
  if (!record.alert) throw new Error(`the document of alert '${document._id}' has no alert in it`);
  return { ...record, alert: record.alert };
}

function unpacked(alert: NonNullable<AlertDocument['alert']>): StoredAlert {
  if (typeof alert === 'string') return Object.freeze(JSON.parse(alert) as StoredAlert);
  const bytes = 'buffer' in alert && !(alert instanceof Uint8Array) ? alert.buffer : (alert as Uint8Array);
  return Object.freeze(JSON.parse(gunzipSync(bytes).toString()) as StoredAlert);
}

/** The fields of a new document, as expressions of a pipeline. */
export function freshFields(alert: StoredAlert, body: string | Buffer, at: number): Document {
  return {
    _id: literal(alert.id),
    s: 'open',
    at,
    title: literal(alert.title.slice(0, 120)),
    sev: alert.severity,
    rank: literal(SEVERITIES.indexOf(alert.severity)),
    alert: literal(body),
    log: literal([]),
    bytes: literal(bytesOf(alert)),
    ...(alert.status && { st: alert.status }),
    ...(alert.dedupKey !== undefined && { key: literal(alert.dedupKey) }),
  };
}

/** The fields that the end of an alert sets, as expressions of a pipeline. */
export function endFields(end: EndEvent): Document {
  const base = { s: end.type, endedAt: end.at };
  if (end.type === 'dead') return { ...base, reason: end.reason };
  return {
    ...base,
    ...(end.channel !== undefined && { chan: literal(end.channel) }),
    ...(end.type === 'coalesced' && { into: literal(end.into) }),
  };
}
