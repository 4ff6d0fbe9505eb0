import { needs } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import * as clock from './clock.chaos.js';
import * as diskFull from './disk-full.chaos.js';
import * as kills from './kills.chaos.js';
import * as pair from './pair.chaos.js';
import * as sockets from './sockets.chaos.js';

const SEED = 20_260_301;

/** The short forms: `npm run chaos -- orchestrator` runs the long ones. */
describe('every alert that was answered with 200 is delivered or in the dead letters', () => {
  it.each([
    ['the process is killed', kills, 4],
    ['connections are cut', sockets, 12],
    ['the disk is full', diskFull, 4],
    ['the clock jumps', clock, 8],
  ])(
    'while %s [P53]',
    async (_, { run }, rounds) => {
      const { violations, runs, facts } = await run({ seconds: 0, rounds, seed: SEED, log: () => {} });
      expect(violations).toEqual([]);
      if (facts?.skipped === undefined) {
        expect(runs).toBe(rounds);
        expect(Number(facts?.acknowledged)).toBeGreaterThan(10);
      }
    },
    180_000,
  );

  it.skipIf(!needs('mongod') || !needs('alertmanager'))(
    'while one of two instances is killed and the primary of their database steps down [P54]',
    async () => {
      const { violations, runs, facts } = await pair.run({ seconds: 0, rounds: 2, seed: SEED, log: () => {} });
      expect(violations).toEqual([]);
      expect(runs).toBe(2);
      expect(Number(facts?.acknowledged)).toBeGreaterThan(10);
      expect(Number(facts?.repeats)).toBeLessThanOrEqual(Number(facts?.['in flight at kills']));
    },
    180_000,
  );
});
