import { systemClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { memoryDisk, openJournalOn } from '../../src/testing.js';

const dir = '/data/journal';

/** A clock that only `work` moves. */
function workClock() {
  let elapsed = 0;
  return { clock: { ...systemClock, monotonic: () => elapsed }, work: (ms: number): void => void (elapsed += ms) };
}

describe('openJournal', () => {
  it('[P12] lets other work run every 10 ms, however long apply takes', async () => {
    const disk = memoryDisk();
    const filled = await openJournalOn<number>(disk, { dir, apply: () => undefined, snapshot: () => [] });
    await filled.append(Array.from({ length: 3 }, (_, n) => n));
    for (let n = 3; n < 60; n++) await filled.append(n);
    await filled.close();
    const { clock, work } = workClock();
    let applied = 0;
    let atTurn = 0;
    let most = 0;
    let watching = true;
    const turn = (): void => {
      most = Math.max(most, applied - atTurn);
      atTurn = applied;
      if (watching) setImmediate(turn);
    };
    setImmediate(turn);
    const journal = await openJournalOn<number>(disk, {
      dir,
      clock,
      apply() {
        applied++;
        work(4);
      },
      snapshot: () => [],
    });
    watching = false;
    expect(applied).toBe(60);
    expect(most).toBe(3); // the third is past 10 ms
    await journal.close();
  });

  it('[P12] tells its progress, and at the end the whole', async () => {
    const disk = memoryDisk();
    const filled = await openJournalOn<string>(disk, { dir, apply: () => undefined, snapshot: () => [] });
    for (let n = 0; n < 50; n++) await filled.append('.'.repeat(1_000));
    await filled.close();
    const { clock, work } = workClock();
    const reports: { bytes: number; totalBytes: number; records: number }[] = [];
    const journal = await openJournalOn<string>(disk, {
      dir,
      clock,
      apply: () => work(60),
      snapshot: () => [],
      onProgress: (progress) => void reports.push(progress),
    });
    expect(reports.length).toBeGreaterThanOrEqual(3);
    expect(reports.map(({ records }) => records)).toEqual(reports.map(({ records }) => records).sort((a, b) => a - b));
    expect(reports.at(-1)).toMatchObject({ records: 50, bytes: reports[0]!.totalBytes });
    await journal.close();
  });
});
