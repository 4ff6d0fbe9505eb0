import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChaosOptions, ChaosReport, Proc } from '@holdfast/testkit';
import { runProcess, tempDir } from '@holdfast/testkit';
import { mintName } from '../../src/identity.js';
import { bundle } from '../bundle.js';
import { randomOf } from '../random.js';

export const part = 'file-lock/takeover';

/** For each number of racers; 250 s on two cores. */
const TRIALS = 1_000;
const RACERS = [2, 4, 8, 16];
/** However late the racers have started. */
const LEAST_MS = 2_000;
const LEAD_NS = 3_000_000n;
const LONGEST_STALL_MS = 5;

/**
 * K processes meet one stale lock at the same instant, every file system call of theirs stalled at random. Half of the
 * locks belong to an owner whose heartbeat stands still, half to one that is proven dead. Never may two hold it.
 */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  let end = performance.now() + seconds * 1_000;
  const random = randomOf(seed);
  await using dir = await tempDir();
  await using compiled = await bundle('racer');
  const gone = runProcess(process.execPath, ['-e', '']);
  await gone.exited;
  const dead = mintName().replace(/^(o-\w+)-\d+-\d+/, `$1-${gone.pid}-${gone.pid}`);
  const stale = 'o-0123456789-1-1-1-a-elsewhere';
  const racers = Array.from({ length: RACERS.at(-1) as number }, () =>
    runProcess(process.execPath, [compiled.file('racer')], { ipc: true }),
  );
  const violations: string[] = [];
  const facts: Record<string, number> = {};
  let runs = 0;
  try {
    await Promise.all(racers.map((racer) => racer.nextMessage((m: { trial: number }) => m.trial === -1, 60_000)));
    end = Math.max(end, performance.now() + LEAST_MS);
    // Each K gets its share of what time is left; what one does not need goes to the next.
    for (const [index, k] of RACERS.entries()) {
      const share = performance.now() + (end - performance.now()) / (RACERS.length - index);
      let trials = 0;
      for (; trials < TRIALS && performance.now() < share; trials++) {
        const lock = join(dir.path, `k${k}-${trials}.lock`);
        const owner = random() < 0.5 ? stale : dead;
        mkdirSync(lock, { mode: 0o1777 });
        mkdirSync(join(lock, owner));
        const trial = ++runs;
        const told = {
          trial,
          lock,
          atNs: String(process.hrtime.bigint() + LEAD_NS),
          stallMs: random() < 0.5 ? 0 : random() * LONGEST_STALL_MS,
          heartbeat: statSync(join(lock, owner)).mtimeMs,
        };
        const outcomes = await race(racers.slice(0, k), told);
        const held = outcomes.filter((outcome) => outcome === 'held').length;
        const odd = outcomes.filter((outcome) => outcome !== 'held' && outcome !== 'lost');
        if (odd.length > 0) violations.push(`K=${k} trial ${trials}: ${odd.join('; ')}`);
        if (held === 0) violations.push(`K=${k} trial ${trials}: nobody took the lock`);
        else if (readFileSync(`${lock}.counter`, 'utf8').length !== held) violations.push(`K=${k}: a count is missing`);
        const left = readdirSync(dir.path).filter((name) => !name.endsWith('.counter'));
        if (left.length > 0) violations.push(`K=${k} trial ${trials}: left ${left.join(' ')}`);
        await rm(`${lock}.counter`, { force: true });
        if (violations.length > 20) return { runs, violations, facts };
      }
      facts[`trials at K=${k}`] = trials;
      log(`K=${k}: ${trials} trials, ${violations.length} violations so far`);
    }
  } finally {
    await Promise.all(racers.map((racer) => racer.kill()));
  }
  return { runs, violations, facts };
}

async function race(racers: readonly Proc[], told: { trial: number }): Promise<string[]> {
  for (const racer of racers) racer.send(told);
  const answers = racers.map((racer) =>
    racer.nextMessage((m: { trial: number; outcome: string }) => m.trial === told.trial, 30_000),
  );
  return (await Promise.all(answers)).map(({ outcome }) => outcome);
}
