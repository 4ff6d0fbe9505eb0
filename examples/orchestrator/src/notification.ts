import type { Alert, Severity } from '@holdfast/alert-delivery';
import type { ParsedPayload, Payload, WebhookAlert } from './payload.js';
import { oneLine } from './plain-text.js';

/** What a delivery record keeps in `data`: all that the alert list, consolidation and a dead letter need. */
export type NotificationData =
  | { kind: 'webhook'; sender: string; payload: Payload; knowledge: string[] }
  | { kind: 'rejected'; sender: string; reason: string; raw: unknown };

/** Reads `data` back; undefined for what others put into the same store. */
export function notificationData(data: unknown): NotificationData | undefined {
  if (typeof data !== 'object' || data === null || !('kind' in data)) return undefined;
  return data.kind === 'webhook' || data.kind === 'rejected' ? (data as NotificationData) : undefined;
}

/** The one message that a post becomes: it names every alert, firing ones first, and what is known of such incidents. */
export function notificationOf(id: string, payload: Payload, sender: string, knowledge: readonly string[]): Alert {
  const firing = payload.alerts.filter(({ status }) => status === 'firing');
  const resolved = payload.alerts.filter(({ status }) => status === 'resolved');
  const lines = [
    ...knowledge,
    ...firing.map((alert) => lineOf(alert, payload)),
    ...resolved.map((alert) => lineOf(alert, payload)),
    ...(payload.truncatedAlerts > 0 ? [`${payload.truncatedAlerts} more that Alertmanager left out (max_alerts)`] : []),
  ];
  const data: NotificationData = { kind: 'webhook', sender, payload, knowledge: [...knowledge] };
  return {
    id,
    title: titleOf(payload, firing.length, resolved.length),
    severity: severityOf(firing.length > 0 ? firing : resolved),
    status: payload.status,
    ...(payload.groupKey !== undefined && { dedupKey: dedupKeyOf(payload) }),
    body: lines.join('\n'),
    data,
  };
}

/** A member of `alerts` that is none: it has no route, so that it is dead at once and kept as it came. */
export function rejectedNotification(id: string, sender: string, rejected: ParsedPayload['rejected'][number]): Alert {
  const data: NotificationData = { kind: 'rejected', sender, reason: rejected.reason, raw: rejected.raw };
  return { id, title: `Not an alert: ${rejected.reason}`, severity: 'warning', data };
}

/** `HighErrorRate`, or what there is instead of a name. */
export function nameOf(labels: Record<string, string>): string {
  return labels.alertname || 'unnamed alert';
}

function titleOf(payload: Payload, firing: number, resolved: number): string {
  const names = [...new Set(payload.alerts.map(({ labels }) => oneLine(nameOf(labels), 80)))];
  const more = names.length > 3 ? `, +${names.length - 3}` : '';
  const counts = [firing > 0 && `FIRING:${firing}`, resolved > 0 && `RESOLVED:${resolved}`].filter(Boolean).join(' ');
  return `[${counts}] ${names.slice(0, 3).join(', ')}${more}`;
}

/** `firing DiskFull instance=db-1 severity=warning: Disk is 95 % full`; labels that all share are told once, by the first. */
function lineOf(alert: WebhookAlert, payload: Payload): string {
  const own = Object.entries(alert.labels).filter(
    ([name]) => name !== 'alertname' && (payload.alerts[0] === alert || !(name in payload.commonLabels)),
  );
  const labels = own.map(([name, value]) => `${oneLine(name, 60)}=${oneLine(value, 120)}`).join(' ');
  const summary = alert.annotations.summary ?? alert.annotations.description;
  return [
    `${alert.status} ${oneLine(nameOf(alert.labels), 80)}${labels && ` ${labels}`}`,
    ...(summary ? [oneLine(summary, 300)] : []),
  ].join(': ');
}

/** The worst of them. A severity word that nobody knows may be anybody's worst. */
function severityOf(alerts: readonly WebhookAlert[]): Severity {
  const order: readonly Severity[] = ['critical', 'error', 'warning', 'info'];
  const severities = alerts.map(({ labels }) => severityWord(labels.severity));
  return order.find((severity) => severities.includes(severity)) ?? 'warning';
}

function severityWord(word: string | undefined): Severity {
  switch (word?.toLowerCase()) {
    case undefined:
    case '':
    case 'warning':
    case 'warn':
    case 'minor':
      return 'warning';
    case 'error':
    case 'high':
    case 'major':
      return 'error';
    case 'info':
    case 'informational':
    case 'none':
    case 'low':
      return 'info';
    default:
      return 'critical';
  }
}

/** Firing and resolved of one group at one receiver. */
function dedupKeyOf(payload: Payload): string {
  return JSON.stringify([payload.receiver, payload.groupKey]);
}
