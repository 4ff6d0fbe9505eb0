import { SEVERITIES, type Severity, type StoredAlert } from './alert.js';
import { cutBytes, cutChars } from './text.js';

/** Lines in a digest's body; the rest is a number. A Slack section holds 3,000 characters. */
const MAX_LINES = 25;
const MAX_IDS = 50;

/** The one alert that stands for many: equal titles are one line with a count, the worst severity is its own. */
export function digestOf(
  members: readonly { readonly id: string; readonly acceptedAt: number; readonly alert: StoredAlert }[],
  id: string,
  channel: string,
): StoredAlert {
  const bySeverity = new Map<Severity, number>();
  const lines = new Map<string, number>();
  let firstAt = Number.POSITIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  for (const { alert, acceptedAt } of members) {
    bySeverity.set(alert.severity, (bySeverity.get(alert.severity) ?? 0) + 1);
    const word = alert.status === 'resolved' ? 'resolved' : alert.severity;
    const line = `[${word}] ${cutChars(alert.title, 160)}`;
    lines.set(line, (lines.get(line) ?? 0) + 1);
    firstAt = Math.min(firstAt, acceptedAt);
    lastAt = Math.max(lastAt, acceptedAt);
  }
  const severity = SEVERITIES.find((each) => bySeverity.has(each)) ?? 'info';
  const counts = SEVERITIES.flatMap((each) => (bySeverity.has(each) ? [`${bySeverity.get(each)} ${each}`] : [])).join(
    ', ',
  );
  const shown = [...lines].slice(0, MAX_LINES).map(([line, count]) => (count > 1 ? `${line} (${count} times)` : line));
  const hidden = [...lines].slice(MAX_LINES).reduce((sum, [, count]) => sum + count, 0);
  if (hidden > 0) shown.push(`… and ${hidden} more`);
  return Object.freeze({
    id,
    title: `${members.length} alerts (${counts}) waited for ${channel}`,
    severity,
    body: cutBytes(shown.join('\n'), 8_000),
    digest: { count: members.length, firstAt, lastAt, ids: members.slice(0, MAX_IDS).map((member) => member.id) },
  });
}
