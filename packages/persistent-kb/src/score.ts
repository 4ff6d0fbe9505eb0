import type { Entry } from './entry.js';
import type { TextOptions } from './text-options.js';
import { tokenize as builtIn, eachToken, fold, isWordUnit, type Tokenize } from './tokens.js';

/** A word in the title counts as much as this many in the body. Choice. */
const TITLE_WEIGHT = 2;
/** BM25's usual constants. https://en.wikipedia.org/wiki/Okapi_BM25 */
const K1 = 1.2;
const B = 0.75;
/**
 * BM25 divides a text's length by the average length. A constant takes its place, in characters, so that an entry's
 * score does not move when others are written, and a scan can compute what the index computes.
 */
const USUAL_CHARS = 300;
/** Counts are kept in eight bits. */
const MAX_COUNT = 255;

/** What {@link TextOptions} come to. */
export interface Matching {
  readonly tokenize: Tokenize;
  readonly builtIn: boolean;
  readonly prefix: boolean;
  readonly fuzzy: 0 | 1 | 2;
}

/** Fills in what is left open. */
export function matchingOf(options: TextOptions): Matching {
  return {
    tokenize: options.tokenize ?? builtIn,
    builtIn: options.tokenize === undefined,
    prefix: options.prefix ?? false,
    fuzzy: options.fuzzy ?? 0,
  };
}

/** How often each term occurs in an entry, a title's terms counting more. */
export function countTerms(entry: Entry, matching: Matching, counts: Map<string, number>): void {
  const count = (text: string, weight: number): void => {
    const each = (token: string): void => {
      counts.set(token, Math.min(MAX_COUNT, (counts.get(token) ?? 0) + weight));
    };
    if (matching.builtIn) eachToken(fold(text), each);
    else for (const token of matching.tokenize(text)) each(token);
  };
  count(entry.title, TITLE_WEIGHT);
  if (entry.body) count(entry.body, 1);
}

/** The same for the exact `terms` alone, without cutting the text into words: for a scan. */
export function countExact(entry: Entry, terms: readonly string[], counts: Map<string, number>): void {
  const title = fold(entry.title);
  const body = entry.body ? fold(entry.body) : '';
  for (const term of terms) {
    const count = occurrences(title, term) * TITLE_WEIGHT + occurrences(body, term);
    if (count > 0) counts.set(term, Math.min(MAX_COUNT, count));
  }
}

function occurrences(text: string, term: string): number {
  let count = 0;
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) {
    const end = at + term.length;
    const opens = at === 0 || !isWordUnit(text.charCodeAt(at - 1));
    if (opens && (end === text.length || !isWordUnit(text.charCodeAt(end)))) count++;
  }
  return count;
}

/** How long an entry is, as the score sees it; small is better. In single precision, as the index keeps it. */
export function lengthNorm(entry: Entry): number {
  return Math.fround(K1 * (1 - B + (B * (entry.title.length + (entry.body?.length ?? 0))) / USUAL_CHARS));
}

/** How much a term tells that `found` of `all` entries have. */
export function rarity(found: number, all: number): number {
  return Math.log(1 + (all - found + 0.5) / (found + 0.5));
}

/** What one term adds to an entry's score. */
export function termScore(weight: number, count: number, norm: number): number {
  return (weight * count * (K1 + 1)) / (count + norm);
}

/** How well a word of an entry matches a term of the query: 1 is the same word, 0 no match. */
export function likeness(term: string, token: string, matching: Matching): number {
  if (term === token) return 1;
  let best = 0;
  if (matching.prefix && token.startsWith(term)) best = (0.5 * term.length) / token.length;
  const edits = editsFor(term, matching);
  if (edits > 0 && Math.abs(term.length - token.length) <= edits) {
    const distance = editDistance(term, token);
    if (distance <= edits) best = Math.max(best, 0.4 / distance);
  }
  return best;
}

/** Edits that a term allows: one needs three characters, two need six. Otherwise every short word is like every other. */
export function editsFor(term: string, matching: Matching): number {
  return Math.min(matching.fuzzy, Math.floor(term.length / 3));
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
