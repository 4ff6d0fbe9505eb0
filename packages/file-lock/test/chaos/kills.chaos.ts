import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { tempDir } from '@holdfast/testkit';
import type { Agent } from '../agents.js';
import { startAgent } from '../agents.js';
import { bundle } from '../bundle.js';
import { randomOf } from '../random.js';

export const part = 'file-lock/kills';

const WORKERS = 6;
const STALE_MS = 2_000;
/** Longer than `STALE_MS`, so that a stopped owner is replaced and wakes up as a zombie. */
const STOP_MS = 3_000;

/** However late the workers have started. */
const LEAST_MS = 2_000;

interface Worker {
  agent: Agent;
  readonly names: string[];
  readonly outputs: (() => string)[];
  readonly stoppable: boolean;
  file: string;
}

/**
 * Six workers append lines as fast as they can while a monkey kills (SIGKILL) and stops (SIGSTOP, 3 s, above `staleMs`) them at
 * random moments. Four use `updateFile` on one file, two `appendJsonl` on another; those two are only killed, because an
 * append is not fenced. Each line that was acknowledged must be there once, every other at most once, and no line torn
 * but the one that a killed `appendJsonl` left.
 */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const end = performance.now() + seconds * 1_000;
  const random = randomOf(seed);
  await using dir = await tempDir();
  await using compiled = await bundle('agent');
  const text = join(dir.path, 'lines.txt');
  const records = join(dir.path, 'records.jsonl');
  const workers: Worker[] = [];
  for (let n = 0; n < WORKERS; n++) {
    const stoppable = n < 4;
    workers.push({
      agent: await startAgent(compiled),
      names: [],
      outputs: [],
      stoppable,
      file: stoppable ? text : records,
    });
  }
  let kills = 0;
  let stops = 0;
  try {
    for (const [n, worker] of workers.entries()) work(worker, `w${n}.0`);
    await Promise.all(workers.map(({ agent }) => agent.proc.waitFor('acked', 60_000)));
    // The last stop must be over, and a zombie awake, before the end.
    const until = Math.max(end - STOP_MS - 2_000, performance.now() + LEAST_MS);
    while (performance.now() < until) {
      await pause(100 + random() * 400);
      const n = Math.floor(random() * WORKERS);
      const worker = workers[n] as Worker;
      if (worker.stoppable && random() < 0.3) {
        stops += 1;
        const { proc } = worker.agent;
        proc.signal('SIGSTOP');
        await pause(STOP_MS);
        proc.signal('SIGCONT');
      } else {
        kills += 1;
        await worker.agent.proc.kill();
        worker.agent = await startAgent(compiled);
        work(worker, `w${n}.${worker.names.length}`);
      }
      if ((kills + stops) % 20 === 0) log(`${kills} kills, ${stops} stops`);
    }
  } finally {
    await Promise.all(workers.map(({ agent }) => agent.proc.kill()));
  }

  const violations = [
    ...judge(
      workers.filter(({ file }) => file === text),
      await linesOf(text),
    ),
    ...judge(
      workers.filter(({ file }) => file === records),
      await recordsOf(records),
    ),
  ];
  const acked = workers.flatMap(ackedBy).length;
  if (acked === 0) violations.push('nothing was acknowledged');
  return { runs: kills + stops, violations, facts: { acknowledged: acked, kills, stops } };
}

function work(worker: Worker, name: string): void {
  const { proc } = worker.agent;
  worker.names.push(name);
  worker.outputs.push(() => proc.stdout);
  const told = {
    file: worker.file,
    text: name,
    count: 1_000_000,
    size: 20,
    options: { staleMs: STALE_MS, fsync: false },
  };
  // One that finds out that it was replaced goes on with its next line: the lost one was never acknowledged.
  worker.agent.call(worker.stoppable ? 'linesForEver' : 'records', told, 2 ** 31 - 1).catch(() => {});
}

function ackedBy({ outputs }: Worker): string[] {
  return outputs.flatMap((output) => [...output().matchAll(/^acked (.*)\n/gm)].map(([, line]) => line as string));
}

/** Every acknowledged line must be there once, and nothing twice or damaged. */
function judge(workers: readonly Worker[], lines: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const line of lines) times.set(line, (times.get(line) ?? 0) + 1);
  const violations: string[] = [];
  for (const line of workers.flatMap(ackedBy)) if (!times.has(line)) violations.push(`lost: ${line}`);
  for (const [line, count] of times) if (count > 1) violations.push(`${count} times: ${line}`);
  const known = workers.flatMap(({ names }) => names);
  for (const line of times.keys()) {
    if (known.some((name) => line.startsWith(`${name} `))) continue;
    violations.push(`damaged: ${line.slice(0, 80)}`);
  }
  return violations.slice(0, 20);
}

async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** Without lines torn by a killed writer: those were never acknowledged. */
async function recordsOf(file: string): Promise<string[]> {
  return (await linesOf(file)).flatMap((line) => {
    if (line === '') return [];
    try {
      const { by, n } = JSON.parse(line) as { by: string; n: number };
      return [`${by} ${n}`];
    } catch {
      return [];
    }
  });
}
