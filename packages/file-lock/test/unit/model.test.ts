import { describe, expect, it } from 'vitest';
import type { World } from './model.js';
import { explore } from './model.js';

const CLEAN = { doubleHolds: 0, lostCommits: 0, doubledCommits: 0, doubleOwners: 0, stuck: 0 };

/** A search that takes 10 s on a quiet machine. */
const PATIENCE = { timeout: 300_000 };

function check(name: string, world: World): void {
  const verdict = explore(world);
  console.log(`model: ${name}: ${verdict.states} states`);
  expect(verdict).toMatchObject(CLEAN);
}

describe('the lock protocol, every interleaving', () => {
  for (const start of ['absent', 'leftover', 'owned'] as const) {
    for (const proofOfGone of ['dead', 'unproven'] as const) {
      it(
        `lets no two of 3 contenders hold the lock, crash where they may: start ${start}, owner ${proofOfGone} [P3]`,
        PATIENCE,
        () => {
          check(`3 contenders, ${start}, ${proofOfGone}`, {
            contenders: 3,
            start,
            proofOfGone,
            ticks: 0,
            crashes: true,
          });
        },
      );
    }
  }

  it('loses and doubles no commit even when living owners go stale at any moment [P4]', PATIENCE, () => {
    const world = { start: 'owned', proofOfGone: 'unproven' } as const;
    check('2 contenders, time passes twice, crashes', { ...world, contenders: 2, ticks: 2, crashes: true });
    check('3 contenders, time passes once', { ...world, contenders: 3, ticks: 1, crashes: false });
  });

  it('finds the double hold when the heartbeat is not moved before the swap [P3]', PATIENCE, () => {
    const verdict = explore({
      contenders: 3,
      start: 'owned',
      proofOfGone: 'unproven',
      ticks: 0,
      crashes: false,
      sabotage: (effect) => (effect.do === 'touch' ? undefined : effect),
    });
    expect(verdict.doubleHolds).toBeGreaterThan(0);
  });
});
