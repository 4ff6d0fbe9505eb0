import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { expect, it } from 'vitest';
import { isJournalError, type JournalEvent, openJournal } from '../../src/index.js';

type Op = { key: string; value: number };

async function open(dir: string, more: { segmentBytes?: number } = {}) {
  const state = new Map<string, number>();
  const events: JournalEvent[] = [];
  const journal = await openJournal<Op>({
    dir,
    apply: ({ key, value }) => void state.set(key, value),
    *snapshot() {
      for (const [key, value] of state) yield { key, value };
    },
    onEvent: (event) => void events.push(event),
    ...more,
  });
  return { journal, state, events };
}

it('[P8] replays what was appended, in order, after a close', async () => {
  await using dir = await tempDir();
  const first = await open(join(dir.path, 'journal'));
  await Promise.all([first.journal.append({ key: 'a', value: 1 }), first.journal.append({ key: 'b', value: 2 })]);
  await first.journal.append([
    { key: 'a', value: 3 },
    { key: 'c', value: 4 },
  ]);
  expect(first.state).toEqual(new Map(Object.entries({ a: 3, b: 2, c: 4 })));
  await first.journal.close();
  const second = await open(join(dir.path, 'journal'));
  expect(second.state).toEqual(first.state);
  expect(second.journal.stats()).toMatchObject({ records: 4, tornBytes: 0 });
  await second.journal.close();
});

it('[P5] goes on through rotations and compactions and keeps the directory small', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'journal');
  const first = await open(path, { segmentBytes: 4096 });
  for (let round = 0; round < 100; round++)
    await Promise.all(Array.from({ length: 20 }, (_, n) => first.journal.append({ key: `k${n}`, value: round })));
  await first.journal.compact();
  expect(first.journal.stats().compactions).toBeGreaterThan(3);
  expect(first.journal.stats().bytes).toBeLessThan(20_000);
  await first.journal.close();
  const second = await open(path, { segmentBytes: 4096 });
  expect(second.state).toEqual(first.state);
  await second.journal.close();
});

it('[P9] refuses a second open while the first lives, naming its owner, and lets the next in after close', async () => {
  await using dir = await tempDir();
  const first = await open(dir.path);
  const refused = await open(dir.path).catch((error: unknown) => error);
  expect(isJournalError(refused, 'JOURNAL_LOCKED')).toBe(true);
  expect(refused).toMatchObject({ owner: { pid: process.pid } });
  await first.journal.close();
  const second = await open(dir.path);
  await second.journal.close();
});

it('[P10] makes its directory for the owner only', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'deep', 'journal');
  const { journal } = await open(path);
  await journal.append({ key: 'a', value: 1 });
  await journal.close();
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  const [epoch] = (await readdir(path)).filter((name) => name.startsWith('epoch-'));
  expect((await stat(join(path, epoch!))).mode & 0o777).toBe(0o700);
  const file = join(path, epoch!, '0000000001.log');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(3);
});

it('[P8] rejects appends after close', async () => {
  await using dir = await tempDir();
  const { journal } = await open(dir.path);
  await journal.close();
  await journal.close();
  await expect(journal.append({ key: 'a', value: 1 })).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
});
