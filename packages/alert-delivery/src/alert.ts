import { randomUUID } from 'node:crypto';
import { DeliveryError } from './errors.js';
import { plainJson } from './plain-json.js';
import { bytesOf, noteBytes } from './sizes.js';
import { isWellFormed, wellFormed } from './text.js';

/** From the one that may wake people to the one that may wait. */
export const SEVERITIES = ['critical', 'error', 'warning', 'info'] as const;

export type Severity = (typeof SEVERITIES)[number];

/** What the application hands in. */
export interface Alert {
  /** The same id is the same alert: accepting it again is a duplicate. Default: a random UUID. At most 512 characters. */
  id?: string | undefined;
  /** One line. Must not be empty. */
  title: string;
  /** Decides what may be folded and what may not. A word that is not known counts as `critical`. */
  severity: Severity;
  status?: 'firing' | 'resolved' | undefined;
  /** What firing and resolved have in common; also what grouping goes by. */
  dedupKey?: string | undefined;
  body?: string | undefined;
  /** Anything. Kept as JSON: what JSON can't say (cycles, bigint, throwing getters) is replaced by a word that says so. */
  data?: unknown;
}

/** An alert as it was accepted, and as channels get it: plain, frozen, with an id. */
export interface StoredAlert {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly status?: 'firing' | 'resolved';
  readonly dedupKey?: string;
  readonly body?: string;
  readonly data?: unknown;
  /** Set when this one message stands for several alerts. */
  readonly digest?: Digest;
}

/** What a message that stands for several alerts says about them. */
export interface Digest {
  readonly count: number;
  /** Epoch milliseconds of the first and the last acceptance. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Up to 50 of the ids. */
  readonly ids: readonly string[];
}

/** 24 MiB: a webhook body of 16 MB in `data`, escaped once more, still fits. */
const MAX_ALERT_BYTES = 24 * 1024 * 1024;

/**
 * Turns what the application gave into what is stored, or throws.
 *
 * @throws DeliveryError `DELIVERY_INVALID_ALERT` with `path`.
 */
export function storedAlert(input: Alert): StoredAlert {
  if (typeof input !== 'object' || input === null) throw invalid('', 'must be an object', input);
  const title = field(input, 'title');
  if (typeof title !== 'string' || title.trim() === '')
    throw invalid('title', 'must be a string that is not empty', title);
  const id = field(input, 'id') ?? randomUUID();
  if (typeof id !== 'string' || id === '' || id.length > 512 || !isWellFormed(id)) {
    throw invalid('id', 'must be a well-formed string of 1 to 512 characters', id);
  }
  const status = field(input, 'status') ?? undefined;
  if (status !== undefined && status !== 'firing' && status !== 'resolved') {
    throw invalid('status', "must be 'firing' or 'resolved'", status);
  }
  const dedupKey = optionalString(input, 'dedupKey');
  const body = optionalString(input, 'body');
  const given = field(input, 'severity');
  const severity = SEVERITIES.find((known) => known === given) ?? 'critical';
  const data = plainJson(field(input, 'data'));
  const alert: Changeable<StoredAlert> = { id, title: wellFormed(title), severity };
  if (status !== undefined) alert.status = status;
  if (dedupKey !== undefined) alert.dedupKey = dedupKey;
  if (body !== undefined) alert.body = wellFormed(body);
  if (data !== undefined) alert.data = data;
  checkSize(Object.freeze(alert));
  return alert;
}

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** No character takes more than six bytes of JSON: what is far below the limit is not made JSON to see that it is. */
function checkSize(alert: StoredAlert): void {
  if (alert.data === undefined && bytesOf(alert) * 6 <= MAX_ALERT_BYTES) return;
  const json = JSON.stringify(alert);
  if (json.length > MAX_ALERT_BYTES || Buffer.byteLength(json) > MAX_ALERT_BYTES) {
    throw new DeliveryError(
      'DELIVERY_INVALID_ALERT',
      `alert '${alert.id}' is larger than ${MAX_ALERT_BYTES} bytes as JSON`,
      { path: 'data' },
    );
  }
  noteBytes(alert, json.length);
}

function optionalString(input: Alert, name: 'dedupKey' | 'body'): string | undefined {
  const value = field(input, name) ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw invalid(name, 'must be a string', value);
  return value;
}

/** Reads a field whose getter may throw. */
function field(input: Alert, name: keyof Alert): unknown {
  try {
    return input[name];
  } catch (error) {
    throw new DeliveryError('DELIVERY_INVALID_ALERT', `alert.${name} threw when it was read: ${String(error)}`, {
      path: name,
      cause: error,
    });
  }
}

function invalid(path: string, rule: string, value: unknown): DeliveryError {
  const shown = typeof value === 'string' ? `'${value.slice(0, 40)}'` : value === null ? 'null' : typeof value;
  const name = path === '' ? 'an alert' : `alert.${path}`;
  return new DeliveryError('DELIVERY_INVALID_ALERT', `${name} ${rule}, got ${shown}`, { path });
}
