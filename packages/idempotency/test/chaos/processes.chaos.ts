import { type ChaosOptions, type ChaosReport, needs, startMongod } from '@holdfast/testkit';
import { startRacers } from '../fixtures/racers.js';

export const part = 'idempotency/processes';

const PROCESSES = 4;
const CALLS = 250;
const LEASE_MS = 1_500;
const KILLS = 20;

/** 4 processes x 250 racing duplicates, of plain keys and of lanes, and kill -9 of the owner, until the kills are done. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  if (!needs('mongod')) return { runs: 0, violations: [], facts: { skipped: 'no mongod on this machine' } };
  const end = performance.now() + (seconds - 5) * 1_000;
  await using mongod = await startMongod({ replSet: true });
  await using racers = await startRacers(mongod.uriFor('race'), PROCESSES, LEASE_MS);
  const violations: string[] = [];
  let races = 0;
  let kills = 0;
  for (let round = 0; performance.now() < end && kills < KILLS; round++) {
    const state = round % 2 ? 'firing' : undefined;
    violations.push(...(await racers.race({ key: `race ${seed} ${round}`, state, calls: CALLS, workMs: 50 })));
    races++;
    violations.push(
      ...(await racers.killOwner({ key: `kill ${seed} ${round}`, state, calls: 25, workMs: 400 }, LEASE_MS)),
    );
    kills++;
    if (round % 5 === 4) log(`${races} races of ${PROCESSES * CALLS}, ${kills} owners killed`);
  }
  return { runs: races + kills, violations, facts: { races, kills, duplicates: races * PROCESSES * CALLS } };
}
