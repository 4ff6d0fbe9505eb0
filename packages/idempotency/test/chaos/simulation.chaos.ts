import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@holdfast/clock';
import { type ChaosOptions, type ChaosReport, needs, startMongod, tempDir } from '@holdfast/testkit';
import { fileStore } from '../../src/file.js';
import { memoryStore } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { type SimulatedClock, simulate, simulatedClock } from '../../src/testing.js';
import { BUGS, plantedStore } from '../fixtures/planted-bugs.js';

export const part = 'idempotency/simulation';

const SCHEDULES = 100_000;
const WITHIN = 10_000;

/** 100,000 schedules on the memory store, some on the others; it counts only if every planted bug is found. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const end = performance.now() + seconds * 1_000;
  const until = (share: number) => () => performance.now() > end - seconds * 1_000 * (1 - share);
  const violations: string[] = [];
  const facts: Record<string, number> = {};

  for (const bug of BUGS) {
    const { violations: found, schedules } = await simulate({
      store: (clock) => plantedStore(bug, clock),
      seed,
      schedules: WITHIN,
    });
    log(`${bug}: ${found.length > 0 ? `found in schedule ${schedules}` : 'not found'}`);
    if (found.length === 0) violations.push(`the planted bug "${bug}" was not found within ${WITHIN} schedules`);
  }

  const memory = await simulate({
    store: () => memoryStore({ maxEntries: 16 }),
    ...{ seed, schedules: SCHEDULES, callers: 4, until: until(0.8) },
  });
  log(`memory: ${memory.schedules} schedules, ${memory.operations} operations`);
  facts.schedules = memory.schedules;
  facts.operations = memory.operations;
  facts.settled = memory.settled;
  facts.takeovers = memory.takeovers;
  violations.push(...memory.violations);

  await using dir = await tempDir();
  const clock = simulatedClock();
  const store = fileStore({ dir: dir.path });
  const context = { namespace: 'held', clock, storeTimeoutMs: 5_000, emit: () => undefined };
  const held = await store.open(context);
  const file = await simulate({ store: () => store, clock, seed, schedules: 1_000, until: until(0.9) });
  await held.close();
  facts.onFiles = file.schedules;
  violations.push(...file.violations);

  if (needs('mongod')) {
    await using mongod = await startMongod({ replSet: true });
    const real: SimulatedClock = { ...systemClock, tick: (ms) => sleep(ms), jump: () => undefined };
    const shared = mongoStore({ uri: mongod.uriFor('simulation') });
    const open = await shared.open({ ...context, clock: real });
    const times = { leaseMs: 150, ttlMs: 3_000, windowMs: 1_500, slackMs: 5 };
    const mongo = await simulate({ store: () => shared, clock: real, times, seed, schedules: 100, until: until(1) });
    await open.close();
    facts.onMongoDB = mongo.schedules;
    violations.push(...mongo.violations);
  }
  return { runs: memory.schedules + file.schedules + (facts.onMongoDB ?? 0), violations, facts };
}
