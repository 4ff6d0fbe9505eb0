import { describe, expect, it } from 'vitest';
import { holds } from '../../src/failure.js';
import { FAILURES, programOf } from '../../src/failures/index.js';

describe('the nine failures', () => {
  for (const failure of FAILURES) {
    for (const { program } of failure.before) {
      it(`${failure.number} is shown by ${program}, as people write it`, { timeout: 120_000 }, async () => {
        const facts = await failure.run(programOf('before', program), { short: true });
        expect(holds(facts), JSON.stringify(facts)).toBe(false);
      });
    }
    it(`${failure.number} does not happen with ${failure.after.program}`, { timeout: 120_000 }, async () => {
      const { program, patienceMs } = failure.after;
      const facts = await failure.run(programOf('after', program), { short: true, patienceMs });
      expect(facts).toMatchObject({ lost: 0, doubled: 0, hung: 0, corrupted: 0, leakedBytes: 0, wrong: [] });
    });
  }
});
