import { expect, it } from 'vitest';
import { run } from '../chaos/kills.chaos.js';

it('loses and doubles no acknowledged line while its writers are killed and stopped [P47]', async () => {
  const report = await run({ seconds: 9, seed: 5, log: () => {} });
  expect(report.violations).toEqual([]);
  expect(report.facts?.acknowledged).toBeGreaterThan(0);
});
