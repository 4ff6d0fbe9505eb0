import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { prove } from './identity.js';
import type { Target } from './target.js';

const swept = new Set<string>();

/** {@link sweep}, once a lock and process: what an earlier process left is found by the first use after it. */
export function sweepOnce(target: Target): void {
  if (swept.has(target.lock)) return;
  swept.add(target.lock);
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
