import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { tempDir } from '@holdfast/testkit';
import { bundle } from '../bundle.js';
import { randomOf } from '../random.js';

export const part = 'file-lock/torn';

/** 90 s on two cores. */
const KILLS = 500;
const SIZE = 2 ** 20;

export function run(options: ChaosOptions): Promise<ChaosReport> {
  return tear(options, KILLS);
}

/**
 * A writer rewrites 1 MiB in a loop, with and without the lock, and is killed (SIGKILL) at a random moment, `kills` times.
 * Readers meanwhile, and everybody afterwards, must see one letter only, the whole length; after the next owner nothing
 * may lie beside the file that a dead one has left.
 */
export async function tear({ seconds, seed, log }: ChaosOptions, kills: number): Promise<ChaosReport> {
  const end = performance.now() + seconds * 1_000;
  const random = randomOf(seed);
  await using dir = await tempDir();
  await using compiled = await bundle('rewriter');
  const file = join(dir.path, 'f');
  const violations: string[] = [];
  let runs = 0;
  let reads = 0;

  const check = async (when: string): Promise<void> => {
    const bytes = await readFile(file);
    reads += 1;
    if (bytes.length !== SIZE) violations.push(`kill ${runs}, ${when}: ${bytes.length} bytes`);
    else if (!bytes.equals(Buffer.alloc(SIZE, bytes[0]))) violations.push(`kill ${runs}, ${when}: mixed bytes`);
  };

  while (runs < kills && performance.now() < end && violations.length < 20) {
    await using writer = compiled.run('rewriter', [file, String(SIZE)]);
    await writer.waitFor('owner', 30_000);
    const left = readdirSync(dir.path).filter((name) => /\.(new|w)-/.test(name) && !name.includes(`-${writer.pid}-`));
    if (left.length > 0) violations.push(`after kill ${runs} the next owner has left ${left.join(' ')}`);
    let writing = true;
    const reader = (async () => {
      while (writing) await check('while writing');
    })();
    await pause(1 + random() * 39);
    await writer.kill();
    writing = false;
    await reader;
    await check('afterwards');
    runs += 1;
    if (runs % 100 === 0) log(`${runs} kills, ${reads} reads, ${violations.length} violations so far`);
  }
  return { runs, violations, facts: { reads } };
}
