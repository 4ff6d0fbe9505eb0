import { needs } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { history } from '../chaos/history.chaos.js';
import { outbox } from '../chaos/outbox.chaos.js';
import { storm } from '../chaos/storm.chaos.js';

describe('under load', () => {
  for (const whenFull of ['wait', 'coalesce'] as const) {
    it(`accounts for a storm at a channel that hangs, in less than 30 MB of heap, when full: ${whenFull} [P40]`, async () => {
      const report = await storm(4000, whenFull, 55, () => undefined);
      expect(report.violations).toEqual([]);
    });
  }

  it('keeps history within its bounds in memory and on disk [P41]', async () => {
    const report = await history(6_000, 500, 100_000, 50, () => undefined);
    expect(report.violations).toEqual([]);
  });

  it.skipIf(!needs('mongod'))('shares one MongoDB among four processes, of which one is killed [P42]', async () => {
    const report = await outbox(400, 50, () => undefined);
    expect(report.violations).toEqual([]);
  });
});
