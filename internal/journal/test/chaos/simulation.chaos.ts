import { availableParallelism } from 'node:os';
import { type ChaosOptions, type ChaosReport, runNode } from '@holdfast/testkit';

export const part = 'journal/simulation';

/** What the part runs when the time allows, over all processes. */
const SCHEDULES = 100_000;
/** How many a process does between two messages. */
const BATCH = 250;

interface Batch {
  schedules: number;
  operations: number;
  crashes: number;
  acknowledged: number;
  violations: string[];
}

/** Random schedules of crashes over the journal's own code, on a disk in memory. Schedule n of a run has seed `seed` + n. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const total: Batch = { schedules: 0, operations: 0, crashes: 0, acknowledged: 0, violations: [] };
  let next = 0;
  let told = 0;
  log(
    `${SCHEDULES} schedules when the time allows, seeds from ${seed}; CHAOS_SEED=<seed> begins with the schedule of that seed`,
  );
  const work = async (): Promise<void> => {
    await using proc = runNode(new URL('../fixtures/simulate.ts', import.meta.url), { ipc: true });
    while (next < SCHEDULES && performance.now() < until - 2_000) {
      const from = next;
      next += BATCH;
      proc.send({ from: seed + from, count: Math.min(BATCH, SCHEDULES - from) });
      const batch = await proc.nextMessage<Batch>(undefined, 120_000);
      total.schedules += batch.schedules;
      total.operations += batch.operations;
      total.crashes += batch.crashes;
      total.acknowledged += batch.acknowledged;
      total.violations.push(...batch.violations);
      if (total.schedules < told + 10_000) continue;
      told = total.schedules;
      log(
        `${total.schedules} schedules, ${total.acknowledged} acknowledged records, ${total.violations.length} violations`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(8, availableParallelism()) }, work));
  const { schedules, operations, crashes, acknowledged, violations } = total;
  return { runs: schedules, violations, facts: { operations, crashes, acknowledged } };
}
