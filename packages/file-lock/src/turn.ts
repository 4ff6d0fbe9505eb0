import type { Standing } from './identity.js';

/** Who was seen to be next, and since when the lock has been free for it. */
export interface Patience {
  readonly head: string;
  readonly freeSinceMs: number | undefined;
}

/** What a contender does next. `patience` goes into its next decision; the tickets of `dead` processes are to be removed. */
export type Turn = { dead: readonly string[] } & (
  | /** Nobody who could take the lock is before me. */ { do: 'go' }
  | { do: 'wait'; patience: Patience; lookAgainMs: number | undefined }
  /** The head has let the lock lie free for too long: its ticket is taken away. It gets its place back when it wakes up. */
  | { do: 'pass'; head: string }
);

/**
 * How long a head that is not proven dead or stopped may let a free lock lie, milliseconds. More than a garbage collection
 * or a busy tick, so that the order holds on a loaded machine; with the time until it is noticed (at most
 * {@link LOOK_IN_LINE_MS}) below the 250 ms that a frozen head may cost.
 */
export const PASS_AFTER_MS = 100;

/** How often those behind the head look, milliseconds. They are woken when it is their turn; this is the safety net. */
export const LOOK_IN_LINE_MS = { least: 40, spread: 40 };

/**
 * Whose turn it is, by one look at the line: `tickets` sorted by arrival; `mine` is undefined for somebody who has just come
 * and takes no ticket where nobody waits. `standingOf` is asked of no more tickets than needed. `isAvailable`: whether the
 * lock is free or its owner may be replaced.
 *
 * Order is a courtesy, not the exclusion: whatever is decided here, the lock itself is claimed by the protocol. So a wrong
 * look can cost a place in the line and never a double hold.
 */
export function decideTurn(
  tickets: readonly string[],
  mine: string | undefined,
  standingOf: (ticket: string) => Standing,
  isAvailable: () => boolean,
  patience: Patience | undefined,
  now: number,
): Turn {
  const dead: string[] = [];
  let head: string | undefined;
  for (const ticket of tickets) {
    if (mine !== undefined && ticket >= mine) break;
    const standing = standingOf(ticket);
    if (standing === 'dead') dead.push(ticket);
    else if (standing !== 'stopped') {
      head = ticket;
      break;
    }
  }
  if (head === undefined) return { do: 'go', dead };
  const before = patience?.head === head ? patience.freeSinceMs : undefined;
  const freeSinceMs = isAvailable() ? (before ?? now) : undefined;
  const leftMs = freeSinceMs === undefined ? undefined : freeSinceMs + PASS_AFTER_MS - now;
  if (leftMs !== undefined && leftMs <= 0) return { do: 'pass', head, dead };
  return { do: 'wait', patience: { head, freeSinceMs }, lookAgainMs: leftMs, dead };
}
