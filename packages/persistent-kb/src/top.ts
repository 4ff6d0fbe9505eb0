import type { Row } from './entry.js';

/** A row and how well it fits. */
export interface Ranked {
  readonly row: Row;
  readonly score: number;
}

/** Whether `a` comes before `b`: the better score, then the newer, then the smaller id. A total order. */
function precedes(a: Ranked, b: Ranked): boolean {
  if (a.score !== b.score) return a.score > b.score;
  if (a.row.at !== b.row.at) return a.row.at > b.row.at;
  return a.row.id < b.row.id;
}

/** Keeps the `limit` best of what it is offered, in a heap whose root is the worst kept, and counts all. */
export function best(limit: number): {
  offer(ranked: Ranked): void;
  /** Counts one that is not offered, because its score is below `floor`. */
  count(): void;
  /** A score below it can't be among the best any more. */
  readonly floor: number;
  take(): Ranked[];
  readonly total: number;
} {
  const heap: Ranked[] = [];
  let total = 0;

  const sink = (ranked: Ranked): void => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child]!, heap[child + 1]!)) child++;
      if (!precedes(ranked, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = ranked;
  };

  return {
    offer(ranked) {
      total++;
      if (heap.length < limit) {
        heap.push(ranked);
        if (heap.length === limit) heap.sort((a, b) => (precedes(a, b) ? 1 : -1));
      } else if (limit > 0 && precedes(ranked, heap[0]!)) sink(ranked);
    },
    count() {
      total++;
    },
    get floor() {
      if (heap.length < limit) return Number.NEGATIVE_INFINITY;
      return limit === 0 ? Number.POSITIVE_INFINITY : heap[0]!.score;
    },
    take: () => heap.sort((a, b) => (precedes(a, b) ? -1 : 1)),
    get total() {
      return total;
    },
  };
}
