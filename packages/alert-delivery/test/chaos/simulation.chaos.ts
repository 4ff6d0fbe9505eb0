import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type ChaosOptions, type ChaosReport, type Proc, runNode } from '@holdfast/testkit';

export const part = 'alert-delivery/simulation';

/** What the issue asks for. */
const SCHEDULES = 100_000;
const fixture = fileURLToPath(new URL('../fixtures/simulating.ts', import.meta.url));

interface Batch {
  readonly runs: number;
  readonly crashes: number;
  readonly acknowledged: number;
  readonly taken: number;
  readonly violations: readonly string[];
}

/**
 * Runs crash schedules over a simulated disk, clock and network, each of another seed, on every core, and stops at the first
 * that leaves an alert unaccounted for.
 */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const violations: string[] = [];
  const total = { runs: 0, crashes: 0, acknowledged: 0, taken: 0 };
  const cores = availableParallelism();
  const processes = Array.from({ length: cores }, (_, n) =>
    runNode(fixture, { args: [String(seed + n), String(cores)], ipc: true }),
  );
  const listen = async (process: Proc): Promise<void> => {
    while (total.runs < SCHEDULES && violations.length === 0) {
      const left = until - performance.now();
      const batch = await process.nextMessage<Batch>(undefined, Math.max(1, left)).catch((error: unknown) => {
        if (performance.now() < until) throw error;
        return undefined;
      });
      if (!batch) return;
      const before = total.runs;
      total.runs += batch.runs;
      total.crashes += batch.crashes;
      total.acknowledged += batch.acknowledged;
      total.taken += batch.taken;
      violations.push(...batch.violations);
      if (Math.floor(before / 10_000) !== Math.floor(total.runs / 10_000))
        log(`${total.runs} schedules, ${total.crashes} crashes, ${total.acknowledged} alerts acknowledged`);
    }
  };
  try {
    await Promise.all(processes.map(listen));
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
  const { runs, ...facts } = total;
  return { runs, violations: violations.slice(0, 20), facts: { ...facts, unaccounted: violations.length } };
}
