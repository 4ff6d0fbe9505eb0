import type { Row } from './entry.js';

/** What a row replaced. `undefined` on either side: there was, or is, no live entry. */
export interface Replacement {
  readonly id: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** Everything in memory: the rows, and which live entries have which tag and category. */
export class State {
  readonly rows = new Map<string, Row>();
  readonly tags = new Map<string, Set<string>>();
  readonly categories = new Map<string, Set<string>>();
  /** How many rows are no tombstones. */
  live = 0;

  /** Takes `row` if it is newer than what is known. Returns what changed, or undefined. */
  apply(row: Row, now: number): Replacement | undefined {
    const known = this.rows.get(row.id);
    if (known && !isNewer(row, known, now)) return undefined;
    this.rows.set(row.id, row);
    return this.#swap(row.id, known, row);
  }

  /** Drops what is known of `id`, unless it is no longer `seen`. */
  forget(id: string, seen: Row | undefined): Replacement | undefined {
    const known = this.rows.get(id);
    if (!known || known !== seen) return undefined;
    this.rows.delete(id);
    return this.#swap(id, known, undefined);
  }

  #swap(id: string, before: Row | undefined, after: Row | undefined): Replacement {
    if (before?.entry) {
      this.live--;
      for (const tag of before.entry.tags ?? []) remove(this.tags, tag, id);
      if (before.entry.category !== undefined) remove(this.categories, before.entry.category, id);
    }
    if (after?.entry) {
      this.live++;
      for (const tag of after.entry.tags ?? []) add(this.tags, tag, id);
      if (after.entry.category !== undefined) add(this.categories, after.entry.category, id);
    }
    return { id, before: before?.entry ? before : undefined, after: after?.entry ? after : undefined };
  }
}

/**
 * The highest revision wins, so rows may come in any order and more than once. Only a tombstone that the store may have
 * forgotten gives way to a lower one: the id was created anew after the purge.
 */
function isNewer(row: Row, known: Row, now: number): boolean {
  if (row.rev > known.rev) return true;
  if (known.purgeAt === undefined || known.purgeAt > now || row.entry === undefined) return false;
  return row.op !== known.op && known.prior?.includes(row.op) !== true && row.at >= known.purgeAt;
}

/** Adds `id` under `key`. */
export function add(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids) ids.add(id);
  else index.set(key, new Set([id]));
}

/** Removes `id` from under `key`, and leaves no empty set behind. */
export function remove(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids?.delete(id) && ids.size === 0) index.delete(key);
}
