import { SEVERITIES, type Severity } from './alert.js';
import type { DeadReason } from './life.js';
import type { Bounds, DeadFilter } from './store.js';

/** A dead letter: what memory keeps of it. */
export interface LetterEntry {
  readonly id: string;
  readonly at: number;
  readonly diedAt: number;
  readonly title: string;
  readonly severity: Severity;
  readonly reason: DeadReason;
  readonly bytes: number;
}

/** The dead letters that are there, by severity and in order of death, and how many bytes they stand for. */
export class Letters {
  readonly #shelves: Record<Severity, Map<string, LetterEntry>> = {
    critical: new Map(),
    error: new Map(),
    warning: new Map(),
    info: new Map(),
  };
  bytes = 0;

  get size(): number {
    return SEVERITIES.reduce((sum, severity) => sum + this.#shelves[severity].size, 0);
  }

  get(id: string): LetterEntry | undefined {
    for (const severity of SEVERITIES) {
      const entry = this.#shelves[severity].get(id);
      if (entry) return entry;
    }
    return undefined;
  }

  add(entry: LetterEntry): void {
    const shelf = this.#shelves[entry.severity];
    if (shelf.has(entry.id)) return;
    shelf.set(entry.id, entry);
    this.bytes += entry.bytes;
  }

  remove(id: string): LetterEntry | undefined {
    const entry = this.get(id);
    if (!entry) return undefined;
    this.#shelves[entry.severity].delete(id);
    this.bytes -= entry.bytes;
    return entry;
  }

  /** The first to go first: lowest severity, then oldest. */
  *byWorth(): Iterable<LetterEntry> {
    for (const severity of [...SEVERITIES].reverse()) yield* this.#shelves[severity].values();
  }

  /** Who must go for the bound to hold, and which bound it is. `undefined` when it holds. */
  over({ maxEntries, maxBytes }: Bounds): { ids: string[]; why: 'count' | 'bytes' } | undefined {
    const overCount = this.size - maxEntries;
    let overBytes = this.bytes - maxBytes;
    if (overCount <= 0 && overBytes <= 0) return undefined;
    const ids: string[] = [];
    for (const letter of this.byWorth()) {
      if (ids.length >= overCount && overBytes <= 0) break;
      ids.push(letter.id);
      overBytes -= letter.bytes;
    }
    return { ids, why: overCount > 0 ? 'count' : 'bytes' };
  }
}

/** Whether the letter is one that the filter means. */
export function matches(letter: LetterEntry, filter: DeadFilter): boolean {
  const { ids, severity, reason, since, until } = filter;
  if (ids && !ids.includes(letter.id)) return false;
  if (
    severity !== undefined &&
    !(typeof severity === 'string' ? severity === letter.severity : severity.includes(letter.severity))
  )
    return false;
  if (reason !== undefined && letter.reason !== reason) return false;
  return (since === undefined || letter.diedAt >= since) && (until === undefined || letter.diedAt <= until);
}
