import SearchableMap from 'minisearch/SearchableMap';
import type { Entry } from './entry.js';
import { countTerms, editsFor, lengthNorm, likeness, type Matching, rarity, termScore } from './score.js';

/** Which documents have a term: `document << 8 | count` each, in rising order of document. */
interface Postings {
  /** How many of them are of live documents. */
  live: number;
  size: number;
  list: Uint32Array;
}

/** Document numbers take what the count's eight bits leave of 32. */
const MAX_DOCUMENTS = 2 ** 24;

/**
 * An inverted index over title and body. Documents are numbered as they come; a replaced one leaves its number dead, and
 * the index is built anew (see `TextBuilder`) once half of it is.
 */
export class TextIndex {
  readonly #matching: Matching;
  readonly #terms = new Map<string, Postings>();
  /** minisearch's radix tree of all terms, kept only where prefixes or near words are looked for. */
  readonly #dictionary: SearchableMap<true> | undefined;
  readonly #numbers = new Map<string, number>();
  readonly #ids: (string | undefined)[] = [];
  #norms = new Float32Array(1024);
  #scores = new Float64Array(1024);
  readonly #counts = new Map<string, number>();

  constructor(matching: Matching) {
    this.#matching = matching;
    this.#dictionary = matching.prefix || matching.fuzzy > 0 ? new SearchableMap<true>() : undefined;
  }

  get size(): number {
    return this.#numbers.size;
  }

  has(id: string): boolean {
    return this.#numbers.has(id);
  }

  /** Whether so many numbers are dead that building anew is cheaper than carrying them. */
  get isWorn(): boolean {
    return this.#ids.length > 2 * this.#numbers.size + 1024 || this.#ids.length >= MAX_DOCUMENTS - 1;
  }

  /** Adds an entry that is not in the index. Nothing has changed when it throws: a tokenizer may. */
  add(id: string, entry: Entry): void {
    const counts = this.#count(entry);
    const number = this.#ids.length;
    this.#ids.push(id);
    this.#numbers.set(id, number);
    if (number >= this.#norms.length) {
      const norms = new Float32Array(this.#norms.length * 2);
      norms.set(this.#norms);
      this.#norms = norms;
      this.#scores = new Float64Array(norms.length);
    }
    this.#norms[number] = lengthNorm(entry);
    for (const [term, count] of counts) this.#post(term, number, count);
  }

  /** Removes what `add(id, entry)` added. Nothing has changed when it throws. */
  remove(id: string, entry: Entry): void {
    const number = this.#numbers.get(id);
    if (number === undefined) return;
    const counts = this.#count(entry);
    this.#numbers.delete(id);
    this.#ids[number] = undefined;
    for (const term of counts.keys()) {
      const postings = this.#terms.get(term);
      if (!postings) continue;
      postings.live--;
      if (postings.live === 0) {
        this.#terms.delete(term);
        this.#dictionary?.delete(term);
      }
    }
  }

  /** Gives each entry with one of `terms`, and its score; `all` is how many entries there are. */
  search(terms: readonly string[], all: number, hit: (id: string, score: number) => void): void {
    const scores = this.#scores;
    const touched: number[] = [];
    for (const [term, weight] of this.#expand(terms)) {
      const postings = this.#terms.get(term);
      if (!postings) continue;
      const factor = weight * rarity(postings.live, all);
      for (let at = 0; at < postings.size; at++) {
        const posting = postings.list[at]!;
        const number = posting >>> 8;
        if (this.#ids[number] === undefined) continue;
        if (scores[number] === 0) touched.push(number);
        scores[number]! += termScore(factor, posting & 0xff, this.#norms[number]!);
      }
    }
    for (const number of touched) {
      hit(this.#ids[number]!, scores[number]!);
      scores[number] = 0;
    }
  }

  /**
   * Compares the index with the entries, one small step each; yields what is wrong, undefined in between. Entries may
   * change meanwhile: a document is judged against the entry of that moment.
   */
  *audit(entryOf: (id: string) => Entry | undefined, ids: () => Iterable<string>): Generator<string | undefined> {
    for (const id of ids()) {
      if (entryOf(id) && !this.#numbers.has(id)) yield `'${id}' is missing`;
      yield undefined;
    }
    const expected = new Map<number, number>();
    for (const [id, number] of this.#numbers) {
      const entry = entryOf(id);
      if (!entry) yield `'${id}' is still found`;
      else {
        const counts = this.#count(entry);
        expected.set(number, counts.size);
        for (const [term, count] of counts) {
          const found = this.#find(term, number);
          if (found !== count) yield `'${id}' has '${term}' ${count} times, the index says ${found ?? 'never'}`;
        }
      }
      yield undefined;
    }
    const actual = new Map<number, number>();
    for (const [term, postings] of this.#terms) {
      let live = 0;
      for (let at = 0; at < postings.size; at++) {
        const number = postings.list[at]! >>> 8;
        if (this.#ids[number] === undefined) continue;
        live++;
        actual.set(number, (actual.get(number) ?? 0) + 1);
      }
      if (live !== postings.live) yield `'${term}' is counted ${postings.live} times and found ${live} times`;
      yield undefined;
    }
    for (const [number, terms] of expected) {
      const id = this.#ids[number];
      // A document that was replaced meanwhile has lost its postings to a new number.
      if (id !== undefined && actual.get(number) !== terms && terms > 0) {
        yield `'${id}' has ${terms} terms, the index lists ${actual.get(number) ?? 0}`;
      }
    }
  }

  /** Binary search: postings are in rising order of document. */
  #find(term: string, number: number): number | undefined {
    const postings = this.#terms.get(term);
    let low = 0;
    let high = postings?.size ?? 0;
    while (postings && low < high) {
      const middle = (low + high) >>> 1;
      const posting = postings.list[middle]!;
      if (posting >>> 8 === number) return posting & 0xff;
      if (posting >>> 8 < number) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  #count(entry: Entry): Map<string, number> {
    this.#counts.clear();
    countTerms(entry, this.#matching, this.#counts);
    return this.#counts;
  }

  #post(term: string, number: number, count: number): void {
    let postings = this.#terms.get(term);
    if (!postings) {
      postings = { live: 0, size: 0, list: new Uint32Array(2) };
      this.#terms.set(term, postings);
      this.#dictionary?.set(term, true);
    }
    if (postings.size === postings.list.length) {
      const list = new Uint32Array(postings.size * 2);
      list.set(postings.list);
      postings.list = list;
    }
    postings.list[postings.size++] = ((number << 8) | count) >>> 0;
    postings.live++;
  }

  /** The words to look up with their weights, in an order that does not depend on how they were found. */
  #expand(terms: readonly string[]): [string, number][] {
    const dictionary = this.#dictionary;
    if (!dictionary) return terms.map((term): [string, number] => [term, 1]).sort(byTerm);
    const words = new Map<string, number>();
    for (const term of terms) {
      const consider = (token: string): void => {
        const weight = likeness(term, token, this.#matching);
        if (weight > (words.get(token) ?? 0)) words.set(token, weight);
      };
      consider(term);
      if (this.#matching.prefix) for (const token of dictionary.atPrefix(term).keys()) consider(token);
      const edits = editsFor(term, this.#matching);
      if (edits > 0) for (const token of dictionary.fuzzyGet(term, edits).keys()) consider(token);
    }
    return [...words].sort(byTerm);
  }
}

/** Code-unit order, so that sums of scores come out the same to the last bit on every path. */
export function byTerm(a: readonly [string, number], b: readonly [string, number]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
