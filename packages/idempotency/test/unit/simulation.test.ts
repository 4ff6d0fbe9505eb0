import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/index.js';
import { simulate } from '../../src/testing.js';
import { BUGS, plantedStore } from '../fixtures/planted-bugs.js';

const SCHEDULES = 10_000;

describe('simulate', () => {
  for (const bug of BUGS)
    it(`finds "${bug}" within 10,000 schedules [P51]`, async () => {
      for (const seed of [1, 2]) {
        const report = await simulate({ store: (clock) => plantedStore(bug, clock), seed, schedules: SCHEDULES });
        expect(report.violations).not.toEqual([]);
        expect(report.schedules).toBeLessThanOrEqual(SCHEDULES);
      }
    });

  it('accuses no store that is right: three and more callers, 24 and more operations a schedule [P52]', async () => {
    for (const [callers, store] of [
      [3, () => memoryStore({ maxEntries: 16 })],
      [5, () => memoryStore({ maxEntries: 16 })],
      [4, plantedStore.bind(undefined, 'none')],
    ] as const) {
      const report = await simulate({ store, seed: 7, schedules: 2_000, callers });
      expect(report.violations).toEqual([]);
      expect(report.operations).toBeGreaterThanOrEqual(2_000 * 24);
      expect(report.settled).toBeGreaterThan(2_000);
      expect(report.takeovers).toBeGreaterThan(500);
      expect(report.crashes).toBeGreaterThan(500);
    }
  });

  it('plays the same schedules for the same seed [P52]', async () => {
    const play = () => simulate({ store: (clock) => plantedStore(BUGS[1], clock), seed: 3, schedules: SCHEDULES });
    expect(await play()).toEqual(await play());
  });
});
