import { describe, expect, it } from 'vitest';
import { compactionDue, LOG_PER_SNAPSHOT } from '../../src/when-to-compact.js';

const SEGMENT = 16;

/** Appends `appended` bytes, one at a time, to a journal of which `live` bytes are live, and compacts when it is due. */
function load(live: number, appended: number): { mostBytes: number; written: number; mostRead: number } {
  let snapshot = live;
  let log = 0;
  const seen = { mostBytes: 0, written: 0, mostRead: 0 };
  for (let n = 0; n < appended; n++) {
    log++;
    seen.written++;
    seen.mostRead = Math.max(seen.mostRead, snapshot + log);
    const now = { bytes: snapshot + log, segments: 1 + Math.floor(log / (SEGMENT * 1_000)) };
    if (!compactionDue({ snapshotBytes: snapshot, retryAtBytes: 0 }, now, SEGMENT)) continue;
    seen.mostBytes = Math.max(seen.mostBytes, snapshot + log + live);
    seen.written += live;
    snapshot = live;
    log = 0;
  }
  return seen;
}

describe('compactionDue', () => {
  it('[P5] keeps the disk below three times the live part, writes each byte about twice, and reads at most twice the live part', () => {
    const live = 5_000;
    const { mostBytes, written, mostRead } = load(live, 40 * live);
    expect(mostBytes).toBeLessThanOrEqual(3 * live + 1);
    expect(written / (40 * live)).toBeCloseTo(2, 1);
    expect(mostRead).toBeLessThanOrEqual(2 * live + 1);
  });

  it('[P5] is due at the factor whose space times writing is within 3 % of the least, and which takes the least space of those', () => {
    const cost = (factor: number): number => (2 + factor) * (1 + 1 / factor);
    const factors = Array.from({ length: 800 }, (_, n) => (n + 1) / 100);
    const least = Math.min(...factors.map(cost));
    expect(cost(LOG_PER_SNAPSHOT)).toBeLessThanOrEqual(1.03 * least);
    expect(factors.filter((factor) => cost(factor) <= 1.03 * least)[0]).toBeCloseTo(LOG_PER_SNAPSHOT, 1);
  });

  it('[P5] is due for the number of segments too, and not before a segment is full', () => {
    const growth = { snapshotBytes: 0, retryAtBytes: 0 };
    expect(compactionDue(growth, { bytes: SEGMENT, segments: 64 }, SEGMENT)).toBe(false);
    expect(compactionDue(growth, { bytes: 1, segments: 65 }, SEGMENT)).toBe(true);
    expect(compactionDue(growth, { bytes: SEGMENT + 1, segments: 1 }, SEGMENT)).toBe(true);
  });

  it('[P5] waits after a failed compaction until the log has grown', () => {
    const growth = { snapshotBytes: 0, retryAtBytes: 1_000 };
    expect(compactionDue(growth, { bytes: 999, segments: 99 }, SEGMENT)).toBe(false);
    expect(compactionDue(growth, { bytes: 1_000, segments: 99 }, SEGMENT)).toBe(true);
  });
});
