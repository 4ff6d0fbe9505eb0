import { describe, expect, it } from 'vitest';
import type { Standing } from '../../src/identity.js';
import type { Patience, Turn } from '../../src/turn.js';
import { decideTurn, LOOK_IN_LINE_MS, PASS_AFTER_MS } from '../../src/turn.js';

const KINDS: readonly Standing[] = ['alive', 'unproven', 'stopped', 'dead'];

function turn(
  standings: readonly Standing[],
  mine: string | undefined,
  available: boolean,
  patience?: Patience,
  now = 0,
): Turn {
  const tickets = standings.map((_, n) => String(n));
  return decideTurn(
    tickets,
    mine,
    (ticket) => standings[Number(ticket)] as Standing,
    () => available,
    patience,
    now,
  );
}

describe('decideTurn', () => {
  it('lets nobody go before a living or unproven ticket that came earlier, and everybody past dead and stopped ones, in every line of up to 4 [P53]', () => {
    let lines = 0;
    const explore = (before: readonly Standing[]): void => {
      for (const mine of [undefined, String(before.length)]) {
        for (const available of [true, false]) {
          lines += 1;
          const line: Standing[] = mine === undefined ? [...before] : [...before, 'alive', 'alive'];
          const at = before.findIndex((standing) => standing === 'alive' || standing === 'unproven');
          const decided = turn(line, mine, available);
          expect(decided.do).toBe(at < 0 ? 'go' : 'wait');
          if (decided.do === 'wait') expect(decided.patience.head).toBe(String(at));
          const reached = at < 0 ? before : before.slice(0, at);
          expect(decided.dead).toEqual(reached.flatMap((kind, n) => (kind === 'dead' ? [String(n)] : [])));
        }
      }
      if (before.length < 4) for (const kind of KINDS) explore([...before, kind]);
    };
    explore([]);
    expect(lines).toBe(4 * (1 + 4 + 16 + 64 + 256));
  });

  it('passes a head over only when it has let a free lock lie for the whole time, and in time for the 250 ms [P53]', () => {
    const first = turn(['alive', 'alive'], '1', true, undefined, 1_000);
    expect(first).toEqual({
      do: 'wait',
      dead: [],
      lookAgainMs: PASS_AFTER_MS,
      patience: { head: '0', freeSinceMs: 1_000 },
    });
    const { patience } = first as Extract<Turn, { do: 'wait' }>;
    expect(turn(['alive', 'alive'], '1', true, patience, 1_000 + PASS_AFTER_MS - 1)).toMatchObject({
      do: 'wait',
      lookAgainMs: 1,
    });
    expect(turn(['alive', 'alive'], '1', true, patience, 1_000 + PASS_AFTER_MS)).toMatchObject({
      do: 'pass',
      head: '0',
    });
    // Held in between, or another head: the time starts anew.
    const held = turn(['alive', 'alive'], '1', false, patience, 1_050) as Extract<Turn, { do: 'wait' }>;
    expect(turn(['alive', 'alive'], '1', true, held.patience, 1_200)).toMatchObject({ do: 'wait' });
    expect(turn(['dead', 'alive', 'alive'], '2', true, patience, 1_200)).toMatchObject({
      do: 'wait',
      lookAgainMs: PASS_AFTER_MS,
    });
    expect(LOOK_IN_LINE_MS.least + LOOK_IN_LINE_MS.spread + PASS_AFTER_MS).toBeLessThan(250);
  });
});
