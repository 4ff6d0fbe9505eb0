import { gunzipSync, gzipSync } from 'node:zlib';
import { SEVERITIES, type Severity, type StoredAlert } from './alert.js';
import type { AlertRecord, LifeEvent } from './life.js';

/** One alert. What a person wrote is JSON text, so that no name or value in it means anything to the database. */
export interface AlertDocument {
  _id: string;
  /** `open` alerts are pending; the others have ended. */
  s: 'open' | 'delivered' | 'coalesced' | 'dead';
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
  alert: string | { buffer: Uint8Array } | Uint8Array;
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

export function recordFrom(
  document: Pick<AlertDocument, '_id' | 'at' | 'alert' | 'log'>,
): AlertRecord & { readonly alert: StoredAlert } {
  const { alert } = document;
  const bytes =
    typeof alert === 'string'
      ? undefined
      : 'buffer' in alert && !(alert instanceof Uint8Array)
        ? alert.buffer
        : (alert as Uint8Array);
  const json = bytes === undefined ? (alert as string) : gunzipSync(bytes).toString();
  return {
    id: document._id,
    acceptedAt: document.at,
    alert: Object.freeze(JSON.parse(json) as StoredAlert),
    events: document.log.map((line) => JSON.parse(line) as LifeEvent),
  };
}

export function rankOf(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}
