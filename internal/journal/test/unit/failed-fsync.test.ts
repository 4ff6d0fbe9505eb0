import { describe, expect, it } from 'vitest';
import { isJournalError } from '../../src/index.js';
import { type Conditions, type MemoryDisk, memoryDisk, openJournalOn, seededRandom } from '../../src/testing.js';

async function open(disk: MemoryDisk, conditions?: Conditions) {
  const state = new Set<string>();
  const journal = await openJournalOn<string>(
    disk,
    {
      dir: '/data/journal',
      segmentBytes: 1024,
      apply: (record) => void state.add(record),
      snapshot: () => [...state],
    },
    conditions,
  );
  return { journal, state };
}

describe('openJournal', () => {
  it('[P6] stops for good, or gives one compaction up, at whichever fsync fails, and loses nothing it acknowledged', async () => {
    const ends = { failed: 0, compaction: 0, opening: 0, closing: 0 };
    for (let at = 0; ; at++) {
      const disk = memoryDisk();
      const before = await open(disk);
      await before.journal.append('before');
      const acknowledged = new Set(['before']);
      let syncs = 0;
      const fault: Conditions['fault'] = ({ name }) =>
        (name === 'sync' || name === 'datasync') && syncs++ === at ? { error: 'EIO' } : undefined;
      const life = await open(disk, { fault }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'JOURNAL_UNUSABLE' });
        ends.opening++;
      });
      if (life) {
        const { journal } = life;
        let refused = 0;
        for (let n = 0; n < 14; n++) {
          const record = `${n} ${'.'.repeat(200)}`;
          const append = journal.append(record).then(
            () => acknowledged.add(record),
            (error: unknown) => {
              expect(isJournalError(error, 'JOURNAL_FAILED')).toBe(true);
              refused++;
            },
          );
          await append;
          if (n === 9) await journal.compact().catch(() => ends.compaction++);
        }
        // Nothing is acknowledged after it has failed once.
        if (journal.failure) expect(acknowledged.size - 1 + refused).toBe(14);
        if (journal.failure) ends.failed++;
        await journal.close();
        if (syncs > at && !journal.failure) ends.closing++;
      }
      disk.powerCut(seededRandom(at));
      const last = await open(disk);
      for (const record of acknowledged) expect(last.state, `fsync ${at}`).toContain(record);
      if (syncs <= at) break;
    }
    expect(ends.failed).toBeGreaterThan(14);
    expect(ends.opening).toBeGreaterThan(2);
    expect(ends.compaction).toBeGreaterThan(0);
  });
});
