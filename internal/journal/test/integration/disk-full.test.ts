import { spawnSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { type Journal, type JournalEvent, openJournal } from '../../src/index.js';
import { MOUNT, UNMOUNT } from '../fixtures/tools.js';

/** A file system of 256 KiB, if this process may mount one. */
async function smallDisk(): Promise<({ path: string } & AsyncDisposable) | undefined> {
  const dir = await tempDir();
  if (spawnSync(MOUNT, ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir.path]).status !== 0) {
    await dir[Symbol.asyncDispose]();
    return undefined;
  }
  return {
    path: dir.path,
    async [Symbol.asyncDispose]() {
      spawnSync(UNMOUNT, ['-l', dir.path]);
      await dir[Symbol.asyncDispose]();
    },
  };
}

const probe = await smallDisk();
await probe?.[Symbol.asyncDispose]();
if (!probe)
  console.log('skipped for want of the right to mount a tmpfs: a real full disk (the injected one is tested)');

async function open(dir: string): Promise<{ journal: Journal<string>; state: string[]; events: JournalEvent[] }> {
  const state: string[] = [];
  const events: JournalEvent[] = [];
  const journal = await openJournal<string>({
    dir,
    segmentBytes: 16_384,
    apply: (record) => void state.push(record),
    // Never smaller than the log: compaction can't help, and finds no space either.
    snapshot: () => [...state],
    onEvent: (event) => void events.push(event),
  });
  return { journal, state, events };
}

describe.skipIf(!probe)('openJournal on a full disk', () => {
  it('[P6] rejects what has no space, keeps what it acknowledged, and stores what comes once there is space again', async () => {
    await using disk = (await smallDisk())!;
    const ballast = join(disk.path, 'ballast');
    await writeFile(ballast, Buffer.alloc(100_000));
    const dir = join(disk.path, 'journal');
    const first = await open(dir);
    const acknowledged: string[] = [];
    let refused = 0;
    for (let n = 0; refused < 10; n++) {
      const record = `${n} ${'.'.repeat(700)}`;
      await first.journal.append(record).then(
        () => acknowledged.push(record),
        (error: { code?: string }) => {
          expect(error.code).toBe('JOURNAL_WRITE_FAILED');
          refused++;
        },
      );
    }
    expect(first.state).toEqual(acknowledged);
    expect(first.journal.failure).toBeUndefined();
    expect(first.events.map(({ type }) => type)).toContain('journal.write-failed');
    await rm(ballast);
    // Shorter than what did not fit: it does not cover by chance what was not cut.
    await first.journal.append('after');
    acknowledged.push('after');
    await first.journal.close();
    const second = await open(dir);
    expect(second.state).toEqual(acknowledged);
    expect(second.events.map(({ type }) => type)).not.toContain('journal.tail-cut');
    await second.journal.close();
  });
});
