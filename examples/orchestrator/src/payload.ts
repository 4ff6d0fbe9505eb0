import { createHash } from 'node:crypto';
import { HttpError } from './http-error.js';

/** One alert of a webhook, as far as anything here relies on it. */
export interface WebhookAlert {
  fingerprint: string;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** As the sender wrote it; compare as instants. */
  startsAt?: string;
  endsAt?: string;
  generatorURL?: string;
}

/** A webhook of Alertmanager, or of anything that posts `{ alerts: [...] }`. */
export interface Payload {
  receiver: string;
  status: 'firing' | 'resolved';
  alerts: WebhookAlert[];
  groupKey?: string;
  groupLabels: Record<string, string>;
  commonLabels: Record<string, string>;
  externalURL?: string;
  truncatedAlerts: number;
  notificationReason?: string;
  /** Why this post is not quite what Alertmanager sends; empty for what it sends. */
  oddities: string[];
}

/** What of a post can be used, and the members of `alerts` that can't, as they came. */
export interface ParsedPayload {
  payload: Payload;
  rejected: { index: number; reason: string; raw: unknown }[];
}

/**
 * Reads a webhook body leniently: unknown fields and versions pass, absent ones get a sensible value, and one bad alert
 * does not spoil the others. A strict schema would turn an upgrade of Alertmanager into an outage.
 *
 * @throws HttpError 400 when there is no object, or nothing in `alerts`.
 */
export function parsePayload(body: unknown): ParsedPayload {
  if (!isRecord(body))
    throw new HttpError(400, 'invalid_payload', 'the body must be a JSON object with an array "alerts"');
  if (!Array.isArray(body.alerts) || body.alerts.length === 0) {
    throw new HttpError(400, 'no_alerts', 'the body must have an array "alerts" with at least one alert in it');
  }
  const rejected: ParsedPayload['rejected'] = [];
  const alerts: WebhookAlert[] = [];
  body.alerts.forEach((raw: unknown, index) => {
    const parsed = parseAlert(raw);
    if (typeof parsed === 'string') rejected.push({ index, reason: parsed, raw });
    else alerts.push(parsed);
  });
  const groupKey = text(body.groupKey);
  const version = text(body.version);
  const externalURL = text(body.externalURL);
  const notificationReason = text(body.notification_reason);
  const payload: Payload = {
    receiver: text(body.receiver) ?? '',
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    alerts,
    groupLabels: strings(body.groupLabels) ?? {},
    commonLabels: strings(body.commonLabels) ?? commonLabels(alerts),
    truncatedAlerts: typeof body.truncatedAlerts === 'number' && body.truncatedAlerts > 0 ? body.truncatedAlerts : 0,
    oddities: [
      ...(groupKey === undefined ? ['no groupKey'] : []),
      ...(version === undefined || version === '4' ? [] : [`version ${version}`]),
    ],
    ...(groupKey !== undefined && { groupKey }),
    ...(externalURL !== undefined && { externalURL }),
    ...(notificationReason !== undefined && { notificationReason }),
  };
  return { payload, rejected };
}

/** The alert, or why it is none. */
function parseAlert(raw: unknown): WebhookAlert | string {
  if (!isRecord(raw)) return 'an alert must be an object';
  const labels = strings(raw.labels ?? {});
  if (!labels) return 'labels must be an object of strings';
  const annotations = strings(raw.annotations ?? {});
  if (!annotations) return 'annotations must be an object of strings';
  const { status } = raw;
  if (status !== undefined && status !== 'firing' && status !== 'resolved') return 'status must be firing or resolved';
  const startsAt = text(raw.startsAt);
  const endsAt = text(raw.endsAt);
  const generatorURL = text(raw.generatorURL);
  return {
    fingerprint: text(raw.fingerprint) || fingerprintOf(labels),
    status: status ?? 'firing',
    labels,
    annotations,
    ...(startsAt !== undefined && !Number.isNaN(Date.parse(startsAt)) && { startsAt }),
    // A firing alert's endsAt is the zero time.
    ...(endsAt !== undefined && Date.parse(endsAt) > 0 && { endsAt }),
    ...(generatorURL !== undefined && { generatorURL }),
  };
}

/** Identifies a label set, for senders that send no fingerprint. */
function fingerprintOf(labels: Record<string, string>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

function commonLabels(alerts: readonly WebhookAlert[]): Record<string, string> {
  const [first, ...rest] = alerts;
  const entries = Object.entries(first?.labels ?? {});
  return Object.fromEntries(entries.filter(([name, value]) => rest.every(({ labels }) => labels[name] === value)));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The object if all its values are strings; numbers and booleans are written out. */
function strings(value: unknown): Record<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const entries: [string, string][] = [];
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === 'string') entries.push([name, each]);
    else if (typeof each === 'number' || typeof each === 'boolean') entries.push([name, String(each)]);
    else return undefined;
  }
  return Object.fromEntries(entries);
}
