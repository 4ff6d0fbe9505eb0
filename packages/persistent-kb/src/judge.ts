import { carries, PRIOR_OPS, type Row } from './entry.js';
import type { StoreWrite } from './store.js';

/** What a read-back says about a write. */
export type Verdict =
  /** It is stored, or was and has been written over since. */
  | 'written'
  /** The row is as it was before: it may still arrive. Sending the same write again settles it, one way or the other. */
  | 'open'
  /** Another write took its place: it can't become stored any more. */
  | 'lost'
  /** More writes followed than a row remembers. */
  | 'unknowable';

/** Judges one write by what is stored now. Pure. */
export function judge(stored: Row | undefined, { row, base }: StoreWrite): Verdict {
  if (carries(stored, row.op)) return 'written';
  if (!stored) return base === undefined ? 'open' : 'unknowable';
  if (stored.rev === base) return 'open';
  // A revision below the base means that the store was set back to an older copy: the base is gone for good.
  return stored.rev - row.rev <= PRIOR_OPS ? 'lost' : 'unknowable';
}
