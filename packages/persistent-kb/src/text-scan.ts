import type { Entry } from './entry.js';
import { countExact, countTerms, lengthNorm, likeness, type Matching, rarity, termScore } from './score.js';
import { byTerm } from './text-index.js';

/**
 * Finds what `TextIndex.search` finds, with the same scores, by reading every entry. It answers while the index is being
 * built.
 */
export function scanText(
  entries: Iterable<readonly [string, Entry]>,
  terms: readonly string[],
  matching: Matching,
  hit: (id: string, score: number) => void,
): void {
  const exact = matching.builtIn && !matching.prefix && matching.fuzzy === 0;
  const found: { id: string; norm: number; counts: [string, number][] }[] = [];
  const weights = new Map<string, number>();
  const frequencies = new Map<string, number>();
  const counts = new Map<string, number>();
  let all = 0;
  for (const [id, entry] of entries) {
    all++;
    counts.clear();
    if (exact) countExact(entry, terms, counts);
    else countTerms(entry, matching, counts);
    const matches: [string, number][] = [];
    for (const [token, count] of counts) {
      let weight = weights.get(token);
      if (weight === undefined) {
        weight = Math.max(...terms.map((term) => likeness(term, token, matching)));
        weights.set(token, weight);
      }
      if (weight === 0) continue;
      matches.push([token, count]);
      frequencies.set(token, (frequencies.get(token) ?? 0) + 1);
    }
    if (matches.length > 0) found.push({ id, norm: lengthNorm(entry), counts: matches.sort(byTerm) });
  }
  const factors = new Map([...frequencies].map(([token, n]) => [token, weights.get(token)! * rarity(n, all)]));
  for (const each of found) {
    let score = 0;
    for (const [token, count] of each.counts) score += termScore(factors.get(token)!, count, each.norm);
    hit(each.id, score);
  }
}
