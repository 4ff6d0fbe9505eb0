import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Clock } from '@holdfast/clock';
import { prove } from './identity.js';
import type { Target } from './target.js';

/** How often a process that lives long looks for what others have left, milliseconds: it costs a readdir. Choice. */
const SWEEP_EVERY_MS = 60_000;

/** So many locks are remembered; after that all are looked at again. */
const MOST_REMEMBERED = 1_000;

const sweptMs = new Map<string, number>();

/** {@link sweep} at a process's first use of a lock, and again at most once a minute. */
export function sweepSometimes(target: Target, clock: Clock): void {
  const now = clock.monotonic();
  const last = sweptMs.get(target.lock);
  if (last !== undefined && now - last < SWEEP_EVERY_MS) return;
  if (sweptMs.size >= MOST_REMEMBERED) sweptMs.clear();
  sweptMs.set(target.lock, now);
  sweep(target);
}

/**
 * Removes what killed processes left beside the file: claims that were never made and staged files that were never moved.
 * Only names whose owner is proven dead; those of other hosts stay. It is housekeeping: a failure changes no outcome.
 */
export function sweep(target: Target): void {
  const prefix = `${basename(target.lock)}.`;
  let names: string[];
  try {
    names = readdirSync(target.directory);
  } catch {
    return; // a directory that may be entered but not listed (mode 0300) keeps its litter
  }
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const owner = /^(?:new|w)-(o-.*)$/.exec(name.slice(prefix.length))?.[1];
    if (owner === undefined || prove(owner) !== 'dead') continue;
    try {
      rmSync(join(target.directory, name), { recursive: true, force: true });
    } catch {
      // Not ours to remove (sticky directory, other user): its owner's next process does it.
    }
  }
}
