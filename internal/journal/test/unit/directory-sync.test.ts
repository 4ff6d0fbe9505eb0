import { describe, expect, it } from 'vitest';
import type { JournalEvent } from '../../src/index.js';
import { type Conditions, memoryDisk, openJournalOn } from '../../src/testing.js';

async function events(fault: Conditions['fault']): Promise<JournalEvent[]> {
  const told: JournalEvent[] = [];
  const journal = await openJournalOn<string>(
    memoryDisk(),
    { dir: '/srv/data/journal', apply: () => undefined, snapshot: () => [], onEvent: (event) => void told.push(event) },
    { fault },
  );
  await journal.append('a');
  await journal.compact();
  await journal.close();
  return told.filter(({ type }) => type === 'journal.directory-sync-unsupported');
}

describe('openJournal', () => {
  for (const error of ['EINVAL', 'ENOTSUP', 'EPERM'])
    it(`[P1] goes on where directories can't be synced (${error}), and says so once`, async () => {
      const told = await events(({ name }) => (name === 'sync' ? { error } : undefined));
      expect(told).toEqual([{ type: 'journal.directory-sync-unsupported', dir: '/srv/data/journal', reason: error }]);
    });

  it('[P1] passes over parents that somebody else made, and says nothing of them', async () => {
    for (const error of ['EACCES', 'EROFS', 'EINVAL'])
      expect(await events(({ name, path }) => (name === 'sync' && path === '/' ? { error } : undefined))).toEqual([]);
  });

  it('[P1] does not open when a directory on the way to it fails to sync', async () => {
    const opening = events(({ name, path }) => (name === 'sync' && path === '/srv' ? { error: 'EIO' } : undefined));
    await expect(opening).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' });
  });
});
