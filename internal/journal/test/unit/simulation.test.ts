import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS, simulate } from '../../src/testing.js';

/** What the issue allows for finding a planted bug; each is found within a few dozen. */
const MOST_SCHEDULES = 10_000;

describe('simulate', () => {
  it('[P11] loses and invents nothing in 250 random schedules of crashes, and each is one that counts', async () => {
    for (let seed = 1; seed <= 250; seed++) {
      const report = await simulate(seed);
      expect(report.violations, `seed ${seed}`).toEqual([]);
      expect(report.operations, `seed ${seed}`).toBeGreaterThanOrEqual(20);
      expect(report.writers, `seed ${seed}`).toBeGreaterThanOrEqual(3);
      expect(report.crashes, `seed ${seed}`).toBeGreaterThanOrEqual(1);
    }
  });

  for (const [bug, planted] of Object.entries(PLANTED_BUGS))
    it(`[P11] finds a planted bug: ${bug}`, async () => {
      let found: string[] = [];
      for (let seed = 1; found.length === 0 && seed <= MOST_SCHEDULES; seed++)
        found = (await simulate(seed, planted)).violations;
      expect(found[0]).toMatch(/acknowledged and is lost|shown and is lost|damage .* that nobody did/);
    });

  it('[P11] makes the same schedule of the same seed', async () => {
    for (const seed of [7, 8, 9]) expect(await simulate(seed)).toEqual(await simulate(seed));
    expect(await simulate(7)).not.toEqual(await simulate(8));
  });
});
