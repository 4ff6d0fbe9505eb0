import { SEVERITIES, type Severity, type StoredAlert } from './alert.js';
import { cutBytes, cutChars } from './text.js';

/** Lines in a digest's body; the rest is a number. A Slack section holds 3,000 characters. */
const MAX_LINES = 25;
const MAX_IDS = 50;

interface Member {
  readonly id: string;
  readonly acceptedAt: number;
  readonly alert: StoredAlert;
}

/**
 * The one alert that stands for many: equal titles are one line with a count, the worst severity is its own. A firing that is
 * resolved by a later member was over before anybody could be told: the two are one line.
 */
export function digestOf(members: readonly Member[], id: string, channel?: string): StoredAlert {
  const bySeverity = new Map<Severity, number>();
  const lines = new Map<string, number>();
  const over = resolvedWithin(members);
  let firstAt = Number.POSITIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  for (const [index, { alert, acceptedAt }] of members.entries()) {
    bySeverity.set(alert.severity, (bySeverity.get(alert.severity) ?? 0) + 1);
    firstAt = Math.min(firstAt, acceptedAt);
    lastAt = Math.max(lastAt, acceptedAt);
    const end = over.get(index);
    if (end === 'firing') continue;
    const word = end === 'resolved' ? 'fired and resolved' : alert.status === 'resolved' ? 'resolved' : alert.severity;
    const line = `[${word}] ${cutChars(alert.title, 160)}`;
    lines.set(line, (lines.get(line) ?? 0) + 1);
  }
  const severity = SEVERITIES.find((each) => bySeverity.has(each)) ?? 'info';
  const counts = SEVERITIES.flatMap((each) => (bySeverity.has(each) ? [`${bySeverity.get(each)} ${each}`] : [])).join(
    ', ',
  );
  const shown = [...lines].slice(0, MAX_LINES).map(([line, count]) => (count > 1 ? `${line} (${count} times)` : line));
  const hidden = [...lines].slice(MAX_LINES).reduce((sum, [, count]) => sum + count, 0);
  if (hidden > 0) shown.push(`… and ${hidden} more`);
  const title = `${members.length} alerts (${counts})${channel === undefined ? '' : ` waited for ${channel}`}`;
  // All of it is over: who keeps track by key must not open anything for it.
  const closed = members.every(({ alert }, index) => alert.status === 'resolved' || over.get(index) === 'firing');
  const keys = new Set(members.map(({ alert }) => alert.dedupKey));
  const [key] = keys;
  return Object.freeze({
    id,
    title,
    severity,
    ...(closed && { status: 'resolved' as const }),
    ...(keys.size === 1 && key !== undefined && { dedupKey: key }),
    body: cutBytes(shown.join('\n'), 8_000),
    digest: { count: members.length, firstAt, lastAt, ids: members.slice(0, MAX_IDS).map((member) => member.id) },
  });
}

/** By index, the firings that a later member resolves, and the members that resolve one. */
function resolvedWithin(members: readonly Member[]): ReadonlyMap<number, 'firing' | 'resolved'> {
  const firing = new Map<string, number>();
  const over = new Map<number, 'firing' | 'resolved'>();
  for (const [index, { alert }] of members.entries()) {
    if (alert.dedupKey === undefined) continue;
    const before = firing.get(alert.dedupKey);
    if (alert.status !== 'resolved') firing.set(alert.dedupKey, index);
    else if (before !== undefined) {
      over.set(before, 'firing').set(index, 'resolved');
      firing.delete(alert.dedupKey);
    }
  }
  return over;
}
