import { expect, it } from 'vitest';
import { run } from '../chaos/takeover.chaos.js';

it('lets no two of up to 16 processes hold a lock that all find stale at the same instant [P20]', async () => {
  const report = await run({ seconds: 6, seed: 1, log: () => {} });
  expect(report.violations).toEqual([]);
  expect(report.runs).toBeGreaterThan(3);
});
