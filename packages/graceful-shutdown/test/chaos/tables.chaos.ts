import { type ChaosOptions, type ChaosReport, runNode } from '@holdfast/testkit';
import { startLoad } from '../fixtures/load.js';

export const part = 'graceful-shutdown/tables';

/** The situations of the first table and N: name, handler time, requests a connection, pause, losses allowed in a run. */
const SITUATIONS = [
  { name: 'A', handlerMs: 200, perConnection: Number.POSITIVE_INFINITY, pauseMs: 0, allowed: 0 },
  { name: 'A2', handlerMs: 200, perConnection: 1, pauseMs: 0, allowed: 0 },
  { name: 'A3', handlerMs: 200, perConnection: 4, pauseMs: 37, allowed: 0 },
  { name: 'N', handlerMs: 0, perConnection: 1, pauseMs: 0, allowed: 5 },
] as const;
const RUNS_EACH = 20;

/** SIGTERM under load, 20 runs of each situation on the running Node, as far as the time reaches. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const violations: string[] = [];
  const facts: Record<string, string | number> = { node: process.version };
  let random = seed >>> 0;
  let runs = 0;
  for (let round = 0; round < RUNS_EACH; round++) {
    for (const situation of SITUATIONS) {
      if (performance.now() > until - 3_000) return { runs, violations, facts };
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const one = await terminateUnderLoad(situation, 400 + (random % 400));
      runs++;
      const key = `${situation.name} lost`;
      facts[key] = Number(facts[key] ?? 0) + one.lost;
      const told = `${situation.name} #${round}: lost ${one.lost}, resets ${one.resets}, exit ${one.code} after ${one.ms} ms`;
      log(told);
      if (one.lost > situation.allowed || one.code !== 0) violations.push(told);
    }
  }
  return { runs, violations, facts };
}

async function terminateUnderLoad(situation: (typeof SITUATIONS)[number], afterMs: number) {
  const { handlerMs, perConnection, pauseMs } = situation;
  await using proc = runNode(new URL('../fixtures/server.ts', import.meta.url), {
    ipc: true,
    args: [JSON.stringify({ handlerMs })],
  });
  const { listening } = await proc.nextMessage<{ listening: number }>((message) => 'listening' in message, 30_000);
  const pause = (client: number): number => (client % 2) * pauseMs * (client % 7);
  const load = startLoad({ port: listening, clients: 50, perConnection, pauseMs: pause });
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const began = performance.now();
  proc.signal('SIGTERM');
  const { code } = await proc.exited;
  const ms = Math.round(performance.now() - began);
  const { lost, resets } = await load.stop();
  return { code, ms, lost, resets };
}
