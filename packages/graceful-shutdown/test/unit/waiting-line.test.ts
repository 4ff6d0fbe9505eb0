import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { createWaitingLine, type Waiting } from '../../src/waiting-line.js';

interface Named extends Waiting {
  readonly name: string;
}
const named = (name: string): Named => ({ name, dueMs: 0, line: undefined, before: undefined, after: undefined });

describe('createWaitingLine', () => {
  it('[P47] calls each when its time is up, in the order of joining, with one timer for all', async () => {
    const clock = manualClock();
    const due: string[] = [];
    const line = createWaitingLine<Named>(100, clock, ({ name }) => due.push(`${name}@${clock.monotonic()}`));
    line.join(named('a'));
    await clock.advance(30);
    line.join(named('b'));
    line.join(named('c'));
    expect(clock.pending).toBe(1);
    await clock.advance(69);
    expect(due).toEqual([]);
    await clock.advance(31);
    expect(due).toEqual(['a@100', 'b@130', 'c@130']);
    expect(clock.pending).toBe(0);
  });

  it('[P47] forgets who leaves, wherever it stands, and its timer ends when nobody waits', async () => {
    const clock = manualClock();
    const due: string[] = [];
    const line = createWaitingLine<Named>(100, clock, ({ name }) => due.push(name));
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(named) as [Named, Named, Named, Named];
    for (const one of [a, b, c, d]) line.join(one);
    for (const one of [b, a, d, d]) line.leave(one);
    await clock.advance(50);
    line.join(a);
    await clock.advance(50);
    expect(due).toEqual(['c']);
    line.leave(a);
    await clock.advance(50);
    expect(due).toEqual(['c']);
    expect(clock.pending).toBe(0);
  });
});
