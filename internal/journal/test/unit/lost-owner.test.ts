import { describe, expect, it } from 'vitest';
import { type Conditions, memoryDisk, openJournalOn } from '../../src/testing.js';

async function open(disk: ReturnType<typeof memoryDisk>, conditions?: Conditions) {
  const state: string[] = [];
  const journal = await openJournalOn<string>(
    disk,
    { dir: '/data/journal', apply: (record) => void state.push(record), snapshot: () => [...state] },
    conditions,
  );
  return { journal, state };
}

describe('openJournal', () => {
  it('[P7] does not say that nothing is stored to an owner that is replaced while its write fails', async () => {
    const disk = memoryDisk();
    let full = false;
    let successor: Promise<{ state: string[] }> | undefined;
    const old = await open(disk, {
      fault({ name }) {
        if (!full || name !== 'write') return undefined;
        if (successor) return { error: 'ENOSPC' };
        successor = open(disk); // reads what this write has left, before it is cut back
        return { most: 30 };
      },
      turn: () => successor?.then(() => undefined),
    });
    await old.journal.append('good');
    full = true;
    const failed = await old.journal.append(['short', 'and longer than the disk is']).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'JOURNAL_FAILED' });
    expect((await successor!).state).toEqual(['good']);
    await expect(old.journal.append('more')).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
  });

  it('[P7] does not open for an owner that is replaced while it opens', async () => {
    const disk = memoryDisk();
    const first = await open(disk);
    await first.journal.append('a');
    let successor: Promise<{ state: string[] }> | undefined;
    const opening = open(disk, {
      fault({ name, path }) {
        if (name === 'write' && path.includes('.log.tmp')) successor ??= open(disk);
        return undefined;
      },
      turn: () => successor?.then(() => undefined),
    });
    await expect(opening).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' });
    expect((await successor!).state).toEqual(['a']);
  });
});
