import { oneLine } from './text.js';

/** Credentials as they are seen in error texts, whoever configured them. */
const KNOWN: readonly [RegExp, string][] = [
  [/(https?:\/\/hooks\.slack(?:-gov)?\.com\/)[^\s"'<>]+/gi, '$1[redacted]'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [redacted]'],
  [/\bSG\.[\w-]{8,}\.[\w-]{8,}/g, '[redacted]'],
  [/\bwhsec_[\w+/=-]+/g, '[redacted]'],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]*@/gi, '$1[redacted]@'],
];

/**
 * Returns a function that takes secrets out of a text: those given, as they are and URL-encoded, and what looks like a
 * credential of the built-in channels. A text that the caller's own function breaks on is replaced whole.
 */
export function redactor(
  secrets: () => Iterable<string>,
  own: readonly (string | RegExp)[] | ((text: string) => string) | undefined,
): (text: string) => string {
  return (text) => {
    let clean = text;
    for (const secret of secrets()) clean = without(clean, secret);
    if (Array.isArray(own)) {
      for (const each of own as readonly (string | RegExp)[]) {
        if (typeof each === 'string') clean = without(clean, each);
        else clean = clean.replace(each.global ? each : new RegExp(each.source, `${each.flags}g`), '[redacted]');
      }
    }
    for (const [pattern, instead] of KNOWN) clean = clean.replace(pattern, instead);
    if (typeof own === 'function') {
      try {
        clean = String(own(clean));
      } catch {
        return '[not shown: the redact function threw]';
      }
    }
    return oneLine(clean, 2048);
  };
}

/** What must not be seen of a URL that is a credential: itself, its path, and every part of it that is long enough to be one. */
export function secretsOf(url: string): string[] {
  const { pathname, search, searchParams } = new URL(url);
  const parts = [...pathname.split('/'), ...searchParams.values()].filter((part) => part.length >= 12);
  return [url, pathname + search, ...parts].filter((secret) => secret.length > 4);
}

function without(text: string, secret: string): string {
  if (secret.length < 4) return text;
  return text.replaceAll(secret, '[redacted]').replaceAll(encodeURIComponent(secret), '[redacted]');
}
