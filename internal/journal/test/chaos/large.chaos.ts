import type { ChaosOptions, ChaosReport } from '@holdfast/testkit';
import { openLarge } from '../fixtures/large.js';

export const part = 'journal/large';

const MOST_STALL_MS = 100;
/** What may be in memory at once: some chunks of 256 KiB, and garbage. Far from a gigabyte. */
const MOST_BYTES = 192 * 2 ** 20;
const SIZES = { '64 MB': 64 * 2 ** 20, '1 GB': 2 ** 30 };

/** Opens logs of 64 MB and of 1 GB in processes of their own, and looks at memory, stalls of the event loop and progress. */
export async function run({ seconds, log }: ChaosOptions): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const violations: string[] = [];
  const facts: Record<string, string | number> = {};
  let runs = 0;
  for (const [name, bytes] of Object.entries(SIZES)) {
    const leftMs = until - performance.now();
    if (leftMs < 10_000) break;
    const opening = await openLarge(bytes, leftMs / 2);
    runs++;
    const megabytes = (value: number): number => Math.round(value / 2 ** 20);
    const { records, ms, heapBytes, rssBytes, stallMs, wallStallMs, reports, wholeProgress } = opening;
    const told =
      `${name}: ${records} records in ${Math.round(ms)} ms, heap +${megabytes(heapBytes)} MB, RSS +${megabytes(rssBytes)} MB, ` +
      `longest stall ${Math.round(stallMs)} ms of work (${Math.round(wallStallMs)} ms by the wall), ${reports} reports`;
    log(told);
    facts[`${name} ms`] = Math.round(ms);
    facts[`${name} RSS MB`] = megabytes(rssBytes);
    facts[`${name} stall ms`] = Math.round(stallMs);
    if (stallMs > MOST_STALL_MS || rssBytes > MOST_BYTES || reports < 2 || !wholeProgress) violations.push(told);
  }
  return { runs, violations, facts };
}
