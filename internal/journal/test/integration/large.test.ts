import { describe, expect, it } from 'vitest';
import { openLarge } from '../fixtures/large.js';

describe('openJournal', () => {
  it('[P12] opens 80 MB in bounded memory, in short slices, and tells its progress', async () => {
    const opening = await openLarge(80 * 2 ** 20, 25_000);
    expect(opening.bytes).toBeGreaterThanOrEqual(80 * 2 ** 20);
    // Not the log, and not all its records: some chunks, and what the collector has not fetched yet.
    expect(opening.heapBytes).toBeLessThan(48 * 2 ** 20);
    expect(opening.stallMs).toBeLessThan(100);
    expect(opening.reports).toBeGreaterThanOrEqual(2);
    expect(opening.wholeProgress).toBe(true);
    expect(opening.settledBytes).toBeLessThan(2 ** 20);
  });
});
