import { join } from 'node:path';
import type { Workplace } from './context.js';
import type { JournalOptions } from './contract.js';

/** Least time between two reports, milliseconds. Persons look at it. */
const EVERY_MS = 100;

/** Counts what was read and tells it, at most every {@link EVERY_MS} and once at the end. */
export interface Progress {
  records: number;
  add(bytes: number): void;
  finish(): void;
}

export async function watchProgress(
  place: Workplace,
  names: string[],
  report: JournalOptions<unknown>['onProgress'],
): Promise<Progress> {
  if (!report) return { records: 0, add: () => undefined, finish: () => undefined };
  let totalBytes = 0;
  for (const name of names) {
    const file = await place.fs.open(join(place.epochDir, name), 'r');
    totalBytes += (await file.stat()).size;
    await file.close();
  }
  let bytes = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  const progress: Progress = {
    records: 0,
    add(more) {
      bytes += more;
      const now = place.clock.monotonic();
      if (now - reportedAt < EVERY_MS) return;
      reportedAt = now;
      progress.finish();
    },
    finish: () => report({ bytes, totalBytes, records: progress.records }),
  };
  return progress;
}
