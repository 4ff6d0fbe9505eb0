/** Links come in alerts, from anybody: only http and https, parsed, else there is no link. */
export function safeUrl(text: string | undefined): URL | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
}

/** Alertmanager's form for a new silence, with the labels filled in. */
export function silenceUrl(externalURL: string | undefined, labels: Record<string, string>): string | undefined {
  const base = safeUrl(externalURL);
  if (!base) return undefined;
  const matchers = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${base.href.replace(/\/$/, '')}/#/silences/new?filter=${encodeURIComponent(`{${matchers.join(',')}}`)}`;
}
