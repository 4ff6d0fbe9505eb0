import { deepFreeze, type Entry, type Row } from './entry.js';
import { bad, DEFAULTS, whole } from './options.js';
import type { State } from './state.js';
import type { TextBuilder } from './text-builder.js';
import { queryTerms, type Tokenize } from './tokens.js';
import { best, type Ranked } from './top.js';

/** What to look for. All conditions that are given must hold; an empty query finds everything. */
export interface Query {
  /** Entries with any of its words in title or body, whatever the case. Only words count: it has no operators. */
  text?: string | undefined;
  /** Entries with every one of these tags. */
  all?: readonly string[] | undefined;
  /** Entries with at least one of these tags. An empty list is no condition. */
  any?: readonly string[] | undefined;
  /** Entries with none of these tags. */
  none?: readonly string[] | undefined;
  category?: string | undefined;
  /** How many hits to give, 0 to 10,000. @defaultValue 20 */
  limit?: number | undefined;
}

/** One entry that was found. */
export interface Hit<T extends Entry = Entry> {
  readonly id: string;
  /** How well the text fits, above 0; 0 where no text was asked for. */
  readonly score: number;
  readonly entry: T;
  readonly rev: number;
}

/** Hits by score, then the newest first, then by id: the same order on every instance and after every restart. */
export interface QueryResult<T extends Entry = Entry> {
  readonly hits: Hit<T>[];
  /** How many entries were found, whatever the limit. */
  readonly total: number;
}

/** Answers from memory. @throws TypeError when the query is malformed. */
export function runQuery<T extends Entry>(
  query: Query,
  state: State,
  text: TextBuilder,
  split: Tokenize,
): QueryResult<T> {
  if (typeof query !== 'object' || query === null) throw bad('query', 'be an object', query);
  if (query.text !== undefined && typeof query.text !== 'string') throw bad('query.text', 'be a string', query.text);
  if (query.category !== undefined && typeof query.category !== 'string') {
    throw bad('query.category', 'be a string', query.category);
  }
  const limit = whole('query.limit', query.limit, DEFAULTS.queryLimit, 0, 10_000);
  const filter = filterOf(query, state);
  const top = best(limit);

  if (query.text !== undefined) {
    const terms = queryTerms(query.text, split);
    if (terms.length > 0 && filter) {
      text.search(terms, (id, score) => {
        // Most hits of a common word can't be among the best: they are counted without being looked up.
        if (!filter.accepts(id)) return;
        if (score < top.floor) return top.count();
        const row = state.rows.get(id);
        if (row) top.offer({ row, score });
      });
    }
  } else if (filter) {
    for (const row of candidates(filter, state)) {
      if (row.entry && filter.accepts(row.id)) top.offer({ row, score: 0 });
    }
  }
  return { hits: top.take().map((ranked) => hitOf<T>(ranked)), total: top.total };
}

interface Filter {
  accepts(id: string): boolean;
  /** The smallest set that holds everything acceptable; undefined: any entry may be. */
  readonly narrowest: Iterable<string> | undefined;
}

/** `undefined` when nothing can match. */
function filterOf(query: Query, state: State): Filter | undefined {
  const required: ReadonlySet<string>[] = [];
  for (const tag of tagsOf('all', query.all)) {
    const ids = state.tags.get(tag);
    if (!ids) return undefined;
    required.push(ids);
  }
  if (query.category !== undefined) {
    const ids = state.categories.get(query.category);
    if (!ids) return undefined;
    required.push(ids);
  }
  const any = tagsOf('any', query.any);
  const either = any.map((tag) => state.tags.get(tag)).filter((ids) => ids !== undefined);
  if (any.length > 0 && either.length === 0) return undefined;
  const without = tagsOf('none', query.none)
    .map((tag) => state.tags.get(tag))
    .filter((ids) => ids !== undefined);

  required.sort((a, b) => a.size - b.size);
  const accepts = (id: string): boolean =>
    required.every((ids) => ids.has(id)) &&
    (either.length === 0 || either.some((ids) => ids.has(id))) &&
    !without.some((ids) => ids.has(id));
  const unconditional = required.length + either.length + without.length === 0;
  return {
    accepts: unconditional ? () => true : accepts,
    narrowest: required[0] ?? (either.length > 0 ? union(either) : undefined),
  };
}

function* candidates(filter: Filter, state: State): Generator<Row> {
  if (!filter.narrowest) return yield* state.rows.values();
  for (const id of filter.narrowest) {
    const row = state.rows.get(id);
    if (row) yield row;
  }
}

function union(sets: readonly ReadonlySet<string>[]): Iterable<string> {
  if (sets.length === 1) return sets[0]!;
  const ids = new Set<string>();
  for (const set of sets) for (const id of set) ids.add(id);
  return ids;
}

function tagsOf(name: string, tags: unknown): readonly string[] {
  if (tags === undefined) return [];
  if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string')) {
    throw bad(`query.${name}`, 'be an array of strings', tags);
  }
  return tags;
}

function hitOf<T extends Entry>({ row, score }: Ranked): Hit<T> {
  return Object.freeze({ id: row.id, score, entry: deepFreeze(row.entry) as T, rev: row.rev });
}
