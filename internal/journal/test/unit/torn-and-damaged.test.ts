import { describe, expect, it } from 'vitest';
import { encodeLine, seedOf } from '../../src/frame.js';
import type { JournalEvent, JournalOptions } from '../../src/index.js';
import { type MemoryDisk, memoryDisk, openJournalOn } from '../../src/testing.js';

const FILE = '0000000001.log';

async function open(disk: MemoryDisk, more: Partial<JournalOptions<string>> = {}) {
  const state: string[] = [];
  const events: JournalEvent[] = [];
  const journal = await openJournalOn<string>(disk, {
    dir: '/data/journal',
    apply: (record) => void state.push(record),
    snapshot: () => [...state],
    onEvent: (event) => void events.push(event),
    ...more,
  });
  const told = (type: JournalEvent['type']): JournalEvent[] => events.filter((event) => event.type === type);
  return { journal, state, told };
}

/** A disk with a journal that nobody closed: its only segment, and where its last line begins. */
async function crashed(records: string[]): Promise<{ disk: MemoryDisk; path: string; bytes: Buffer; last: number }> {
  const disk = memoryDisk();
  const { journal } = await open(disk);
  for (const record of records) await journal.append(record);
  const path = `/data/journal/epoch-0000000001/${FILE}`;
  const bytes = disk.files().get(path)!;
  return { disk, path, bytes, last: bytes.lastIndexOf(10, bytes.length - 2) + 1 };
}

describe('openJournal', () => {
  it('[P3] cuts and reports a tail torn at every byte of the last record, and goes on behind it', async () => {
    const { bytes, last } = await crashed(['a', 'b', 'the last one, ü']);
    for (let cut = last; cut < bytes.length; cut++) {
      const { disk, path } = await crashed(['a', 'b', 'the last one, ü']);
      disk.overwrite(path, bytes.subarray(0, cut));
      const first = await open(disk);
      expect(first.state).toEqual(['a', 'b']);
      const report = { type: 'journal.tail-cut', file: FILE, offset: last, bytes: cut - last };
      expect(first.told('journal.tail-cut')).toEqual(cut === last ? [] : [report]);
      expect(first.journal.stats().tornBytes).toBe(cut - last);
      await first.journal.append('more');
      const second = await open(disk);
      expect(second.state).toEqual(['a', 'b', 'more']);
      expect(second.told('journal.tail-cut')).toEqual([]);
    }
  });

  it('[P4] refuses damage at every byte of a record in the middle, [P15] and leaves every name and byte as it was', async () => {
    const { bytes } = await crashed(['a', 'in the middle', 'c', 'd']);
    const from = bytes.indexOf('in the middle') - 14;
    const to = bytes.indexOf(10, from);
    const begins = bytes.lastIndexOf(10, from) + 1;
    for (let at = from; at < to; at++) {
      const { disk, path } = await crashed(['a', 'in the middle', 'c', 'd']);
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x04;
      disk.overwrite(path, damaged);
      const before = disk.files();
      const refused = await open(disk).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'JOURNAL_DAMAGED', file: FILE, offset: begins });
      expect(disk.files()).toEqual(before);
    }
  });

  it('[P4] sets damage aside when told to, keeps the rest, and finds a sound journal afterwards', async () => {
    const { disk, path, bytes } = await crashed(['a', 'in the middle', 'c', 'd']);
    const damaged = Buffer.from(bytes);
    damaged[bytes.indexOf('middle')]! ^= 0x04;
    disk.overwrite(path, damaged);
    const aside = await open(disk, { onDamage: 'quarantine' });
    expect(aside.state).toEqual(['a', 'c', 'd']);
    expect(aside.told('journal.damage-found')).toMatchObject([{ file: FILE, quarantined: true }]);
    const kept = [...disk.files()].filter(([name]) => name.includes('/damaged/'));
    expect(kept).toHaveLength(1);
    expect(kept[0]![1].toString()).toContain('in the iiddle');
    expect(aside.journal.stats().quarantinedBytes).toBe(kept[0]![1].length);
    await aside.journal.append('e');
    const next = await open(disk);
    expect(next.state).toEqual(['a', 'c', 'd', 'e']);
    expect(next.told('journal.damage-found')).toEqual([]);
  });

  it('[P15] leaves every name and byte as it was when it refuses a missing segment', async () => {
    const disk = memoryDisk();
    const { journal } = await open(disk, { segmentBytes: 1024 });
    for (let n = 0; n < 5; n++) await journal.append(`${n} ${'.'.repeat(900)}`);
    await disk.fileSystem().unlink('/data/journal/epoch-0000000001/0000000002.log');
    const before = disk.files();
    await expect(open(disk)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', file: '0000000002.log', offset: 0 });
    expect(disk.files()).toEqual(before);
  });

  it('[P15] leaves every name and byte as it was when apply throws, or when it is called off', async () => {
    const { disk } = await crashed(['a', 'b']);
    const before = disk.files();
    const apply = (): void => {
      throw new Error('not a record of ours');
    };
    await expect(open(disk, { apply })).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' });
    expect(disk.files()).toEqual(before);
    const abort = new AbortController();
    const reason = new Error('shutting down');
    const calledOff = open(disk, { signal: abort.signal, apply: () => abort.abort(reason) });
    await expect(calledOff).rejects.toBe(reason);
    expect(disk.files()).toEqual(before);
  });

  it('[P13] refuses a file that a newer version wrote, and leaves it as it was', async () => {
    const { disk, path, bytes } = await crashed(['a']);
    const header = JSON.stringify({ format: 'holdfast-journal', version: 2, epoch: 1 });
    const rest = bytes.subarray(bytes.indexOf(10) + 1);
    disk.overwrite(path, Buffer.concat([Buffer.from(encodeLine('header', 0, header, seedOf(FILE))), rest]));
    const before = disk.files();
    const refused = await open(disk).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'JOURNAL_UNUSABLE', file: FILE });
    expect(String(refused)).toMatch(/version 2, this code reads up to version 1/);
    expect(disk.files()).toEqual(before);
  });
});
