import { oneLine } from '../plain-text.js';

export { oneLine };

/** Text of several lines, with what can't be seen made visible in each. */
export function visible(text: string): string {
  return text
    .split('\n')
    .map((line) => oneLine(line, 20_000))
    .join('\n');
}

/** The alert's name, for people. */
export function nameOf(labels: Record<string, string>): string {
  return oneLine(labels.alertname || 'unnamed alert', 120);
}

/** What tells this alert from others of its name: the instance, or the next best label. */
export function whereOf(labels: Record<string, string>): string {
  const best = ['instance', 'pod', 'node', 'host', 'queue', 'service', 'job', 'namespace'].find((name) => labels[name]);
  if (best !== undefined) return oneLine(labels[best]!, 120);
  const rest = Object.entries(labels).filter(([name]) => name !== 'alertname' && name !== 'severity');
  return oneLine(rest.map(([name, value]) => `${name}=${value}`).join(' '), 120);
}

/** Words for a filter: `severity:critical db` is every row with that label and `db` somewhere. */
export function matches(query: string, fields: Record<string, string>, text: string): boolean {
  return query
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => {
      const at = word.indexOf(':');
      const field = at > 0 ? fields[word.slice(0, at)] : undefined;
      if (field !== undefined) return field.toLowerCase().includes(word.slice(at + 1));
      return text.toLowerCase().includes(word);
    });
}
