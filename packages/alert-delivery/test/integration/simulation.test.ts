import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLANTED_BUGS, type PlantedBug, simulate } from '../../src/testing.js';

describe('simulate', () => {
  const { stackTraceLimit } = Error;
  beforeAll(() => {
    Error.stackTraceLimit = 0;
  });
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it('accounts for every alert in 120 crash schedules [P37]', async () => {
    let crashes = 0;
    for (let seed = 1; seed <= 120; seed++) {
      const report = await simulate(seed);
      crashes += report.crashes;
      expect([seed, report.violations]).toEqual([seed, []]);
    }
    expect(crashes).toBeGreaterThan(30);
  });

  it('comes to the same end for the same seed [P38]', async () => {
    expect(await simulate(7)).toEqual(await simulate(7));
  });

  for (const bug of Object.keys(PLANTED_BUGS) as PlantedBug[]) {
    it(`finds within 10,000 schedules that ${bug} [P39]`, async () => {
      let seed = 1;
      while (seed <= 10_000 && (await simulate(seed, { bug })).violations.length === 0) seed++;
      expect(seed).toBeLessThanOrEqual(10_000);
    });
  }
});
