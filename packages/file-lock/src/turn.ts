import type { Standing } from './identity.js';

/** A ticket in the line of processes, as one look has found it. */
export interface Ticket {
  /** Sorts by arrival. */
  readonly name: string;
  readonly standing: Standing;
}

/** Who was seen to be next, and since when the lock has been free for it. */
export interface Patience {
  readonly head: string;
  readonly freeSinceMs: number | undefined;
}

/** What a contender does next. `patience` goes into its next decision. */
export type Turn =
  /** Nobody who could take the lock is before me. */
  | { do: 'go' }
  | { do: 'wait'; patience: Patience; lookAgainMs: number | undefined }
  /** The head has let the lock lie free for too long: its ticket is taken away. It gets its place back when it wakes up. */
  | { do: 'pass'; head: string };

/**
 * How long a head that is not proven dead or stopped may let a free lock lie, milliseconds. More than a garbage collection
 * or a busy tick, so that the order holds on a loaded machine; with the time until it is noticed (at most
 * {@link LOOK_IN_LINE_MS}) below the 250 ms that a frozen head may cost.
 */
export const PASS_AFTER_MS = 100;

/** How often those behind the head look, milliseconds. They are woken when it is their turn; this is the safety net. */
export const LOOK_IN_LINE_MS = { least: 40, spread: 40 };

/**
 * Whose turn it is, by one look at the line. `line` is sorted by arrival; `mine` is undefined for somebody who has just come
 * and takes no ticket where nobody waits. `available`: the lock is free, or its owner may be replaced.
 *
 * Order is a courtesy, not the exclusion: whatever is decided here, the lock itself is claimed by the protocol. So a wrong
 * look can cost a place in the line and never a double hold.
 */
export function decideTurn(
  line: readonly Ticket[],
  mine: string | undefined,
  available: boolean,
  patience: Patience | undefined,
  now: number,
): Turn {
  const before = mine === undefined ? line : line.filter((ticket) => ticket.name < mine);
  const head = before.find(({ standing }) => standing === 'alive' || standing === 'unproven');
  if (!head) return { do: 'go' };
  const same = patience?.head === head.name ? patience.freeSinceMs : undefined;
  const freeSinceMs = available ? (same ?? now) : undefined;
  if (freeSinceMs === undefined)
    return { do: 'wait', patience: { head: head.name, freeSinceMs }, lookAgainMs: undefined };
  const leftMs = freeSinceMs + PASS_AFTER_MS - now;
  if (leftMs <= 0) return { do: 'pass', head: head.name };
  return { do: 'wait', patience: { head: head.name, freeSinceMs }, lookAgainMs: leftMs };
}
