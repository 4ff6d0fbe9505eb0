import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../src/index.js';
import { memoryDisk, openJournalOn } from '../../src/testing.js';

const SEGMENT_BYTES = 64 * 1024;
const KEYS = 400;
const VALUE_BYTES = 500;

/** Bytes and number of all files below `dir`; a file that goes while it is looked at counts nothing. */
async function sizeOf(dir: string): Promise<{ bytes: number; files: number }> {
  const names = await readdir(dir, { recursive: true });
  const all = await Promise.all(names.map((name) => stat(join(dir, name)).catch(() => undefined)));
  const files = all.filter((one) => one?.isFile() === true);
  return { bytes: files.reduce((sum, one) => sum + one!.size, 0), files: files.length };
}

describe('openJournal', () => {
  it('[P5] keeps the directory bounded under endless load: old segments go when nothing needs them', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'journal');
    const state = new Map<string, string>();
    const journal = await openJournal<[string, string]>({
      dir: path,
      segmentBytes: SEGMENT_BYTES,
      apply: ([key, value]) => void state.set(key, value),
      snapshot: () => state.entries(),
    });
    let written = 0;
    let most = { bytes: 0, files: 0 };
    for (let round = 0; round < 200; round++) {
      const value = String(round).padEnd(VALUE_BYTES, '.');
      await Promise.all(
        Array.from({ length: KEYS / 4 }, (_, n) => journal.append([[`key ${(round * 100 + n) % KEYS}`, value]])),
      );
      written += (KEYS / 4) * VALUE_BYTES;
      const now = await sizeOf(path);
      most = { bytes: Math.max(most.bytes, now.bytes), files: Math.max(most.files, now.files) };
    }
    const live = KEYS * (VALUE_BYTES + 50);
    // Old snapshot, log, new snapshot; and the segments that fill while a snapshot is written.
    expect(most.bytes).toBeLessThan(3 * live + 16 * SEGMENT_BYTES);
    expect(most.files).toBeLessThan(3 * (live / SEGMENT_BYTES) + 24);
    expect(written).toBeGreaterThan(4 * most.bytes);
    await journal.close();
    expect(state.size).toBe(KEYS);
  });

  it('[P5] keeps it bounded over endless restarts too', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'journal');
    let most = 0;
    for (let restart = 0; restart < 100; restart++) {
      const state = new Map<string, number>();
      const journal = await openJournal<[string, number]>({
        dir: path,
        apply: ([key, value]) => void state.set(key, value),
        snapshot: () => state.entries(),
      });
      expect(state.get('restart')).toBe(restart === 0 ? undefined : restart - 1);
      await journal.append([['restart', restart]]);
      most = Math.max(most, (await sizeOf(path)).files);
      await journal.close();
    }
    expect(most).toBeLessThan(80);
  });
  it('[P5] keeps it bounded when every process closes before its compaction could be done', async () => {
    const disk = memoryDisk();
    const records = 1_500;
    let most = 0;
    for (let restart = 0; restart < 180; restart++) {
      const state = new Map<number, string>();
      const journal = await openJournalOn<[number, string]>(disk, {
        dir: '/data/journal',
        apply: ([key, value]) => void state.set(key, value),
        snapshot: () => state.entries(),
      });
      if (restart === 0)
        await journal.append(Array.from({ length: records }, (_, key): [number, string] => [key, '.'.repeat(300)]));
      await journal.append([[restart, 'seen']]);
      await journal.close();
      expect(state.size).toBe(records);
      most = Math.max(most, disk.files().size);
    }
    expect(most).toBeLessThan(140);
  });
});
