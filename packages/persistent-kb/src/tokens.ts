import { DEFAULTS } from './options.js';

/** 0 = not looked at yet, 1 = part of a word, 2 = not. One byte for each UTF-16 code unit. */
const KIND = new Uint8Array(65_536);
const WORD = /[\p{L}\p{N}\p{M}_]/u;

/** Whether a UTF-16 code unit belongs to a word. Surrogates do: what lies outside the basic plane is found as a word. */
export function isWordUnit(unit: number): boolean {
  let kind = KIND[unit];
  if (kind === 0) {
    kind = (unit >= 0xd800 && unit <= 0xdfff) || WORD.test(String.fromCharCode(unit)) ? 1 : 2;
    KIND[unit] = kind;
  }
  return kind === 1;
}

/** The form in which text is searched: composed, in lower case. */
export function fold(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** Calls `each` with every word of a folded text. */
export function eachToken(folded: string, each: (token: string) => void): void {
  let start = -1;
  for (let at = 0; at < folded.length; at++) {
    if (isWordUnit(folded.charCodeAt(at))) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      each(folded.slice(start, at));
      start = -1;
    }
  }
  if (start >= 0) each(folded.slice(start));
}

/** Splits text into terms. */
export type Tokenize = (text: string) => readonly string[];

/** The built-in rule. */
export const tokenize: Tokenize = (text) => {
  const tokens: string[] = [];
  eachToken(fold(text), (token) => tokens.push(token));
  return tokens;
};

/** The distinct terms of a query, in order, bounded by {@link DEFAULTS}. */
export function queryTerms(text: string, split: Tokenize): string[] {
  const terms = new Set<string>();
  for (const token of split(text.slice(0, DEFAULTS.maxQueryChars))) {
    if (terms.size >= DEFAULTS.maxQueryTerms) break;
    terms.add(token);
  }
  return [...terms];
}
