import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { expect, it } from 'vitest';
import { collaborators } from '../../src/context.js';
import { type JournalFile, type JournalFileSystem, nodeFileSystem } from '../../src/file-system.js';
import { type JournalEvent, type JournalOptions, openJournal } from '../../src/index.js';
import { openJournalWith } from '../../src/open.js';
import { resolveOptions } from '../../src/options.js';

/** The real file system, with every call told to `before`, which may throw or shorten a write. */
function shim(before: (call: string, path: string) => number | undefined, calls: string[]): JournalFileSystem {
  const wrap = (path: string, file: JournalFile): JournalFile => ({
    read: (...a) => file.read(...a),
    async write(buffer, offset, length, position) {
      const most = before('write', path);
      const done = await file.write(buffer, offset, Math.min(length, most ?? length), position);
      calls.push(`write ${path}`);
      return done;
    },
    truncate: (length) => file.truncate(length),
    async datasync() {
      before('datasync', path);
      await file.datasync();
      calls.push(`datasync ${path}`);
    },
    async sync() {
      await file.sync();
      calls.push(`sync ${path}`);
    },
    stat: () => file.stat(),
    close: () => file.close(),
  });
  return {
    ...nodeFileSystem,
    open: async (path, flags, mode) => wrap(path, await nodeFileSystem.open(path, flags, mode)),
    async rename(from, to) {
      await nodeFileSystem.rename(from, to);
      calls.push(`rename ${to}`);
    },
  };
}

function setUp(dir: string, fs: JournalFileSystem = nodeFileSystem, more: Partial<JournalOptions<string>> = {}) {
  const state: string[] = [];
  const events: JournalEvent[] = [];
  const options: JournalOptions<string> = {
    dir,
    apply: (record) => void state.push(record),
    snapshot: () => [...state],
    onEvent: (event) => void events.push(event),
    ...more,
  };
  return openJournalWith(resolveOptions(options), { ...collaborators, fs }).then((journal) => ({
    journal,
    state,
    events,
  }));
}

const fault = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

it('[P1] resolves an append only after a write and then an fdatasync of the segment succeeded', async () => {
  await using dir = await tempDir();
  const calls: string[] = [];
  const { journal } = await setUp(
    dir.path,
    shim(() => undefined, calls),
  );
  const opening = calls.splice(0);
  const renamed = opening.findIndex((call) => call.startsWith('rename') && call.endsWith('.log'));
  expect(opening.slice(renamed).some((call) => /^sync .*epoch-\d+$/.test(call))).toBe(true);
  for (let n = 0; n < 10; n++) {
    await journal.append(`record ${n}`);
    expect(calls.splice(0).map((call) => call.split(' ')[0])).toEqual(['write', 'datasync']);
  }
  await journal.close();
});

it('[P2] puts the appends of 64 concurrent writers, at least 20 of them, behind each fdatasync', async () => {
  await using dir = await tempDir();
  const { journal } = await setUp(dir.path);
  await Promise.all(
    Array.from({ length: 64 }, async (_, writer) => {
      for (let n = 0; n < 20; n++) await journal.append(`${writer} ${n}`);
    }),
  );
  const { appends, syncs } = journal.stats();
  expect(appends).toBe(64 * 20);
  expect(appends / syncs).toBeGreaterThanOrEqual(20);
  await journal.close();
});

it('[P6] cuts a short write back when the disk is full, and later appends are stored behind the good ones', async () => {
  await using dir = await tempDir();
  let room = Number.POSITIVE_INFINITY;
  const fs = shim((call) => {
    if (call !== 'write' || room === Number.POSITIVE_INFINITY) return undefined;
    if (room === 0) throw fault('ENOSPC');
    const now = room;
    room = 0;
    return now;
  }, []);
  const first = await setUp(dir.path, fs);
  await first.journal.append('before');
  room = 300;
  // What is left of it on the disk is longer than all that follows: nothing covers it by chance.
  await expect(first.journal.append('too much'.padEnd(500, '.'))).rejects.toMatchObject({
    code: 'JOURNAL_WRITE_FAILED',
  });
  expect(first.state).toEqual(['before']);
  room = Number.POSITIVE_INFINITY;
  await first.journal.append('after');
  await first.journal.close();
  const second = await setUp(dir.path);
  expect(second.state).toEqual(['before', 'after']);
  expect(second.events.map((event) => event.type)).toEqual(['journal.opened']);
  await second.journal.close();
});

it('[P6] stops for good at a failed fdatasync: everything waiting and everything later rejects', async () => {
  await using dir = await tempDir();
  let broken = false;
  const fs = shim((call) => {
    if (call === 'datasync' && broken) throw fault('EIO');
    return undefined;
  }, []);
  const { journal, state } = await setUp(dir.path, fs);
  await journal.append('good');
  broken = true;
  const waiting = [journal.append('x'), journal.append('y')];
  for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
  broken = false;
  await expect(journal.append('z')).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
  expect(journal.signal.aborted).toBe(true);
  expect(state).toEqual(['good']);
  await journal.close();
});

it('[P3] cuts and reports a torn tail on disk, and [P4] refuses or sets aside damage before it', async () => {
  await using dir = await tempDir();
  const first = await setUp(dir.path);
  for (const record of ['a', 'b', 'c']) await first.journal.append(record);
  await first.journal.close();
  const path = async (): Promise<string> => {
    const epoch = (await readdir(dir.path)).find((name) => name.startsWith('epoch-'))!;
    return join(dir.path, epoch, '0000000001.log');
  };
  const whole = await readFile(await path());
  const lines = whole.toString().split('\n');
  await writeFile(await path(), `${lines.slice(0, 3).join('\n')}\n${lines[3]!.slice(0, 9)}`);
  const torn = await setUp(dir.path);
  expect(torn.state).toEqual(['a', 'b']);
  expect(torn.events[0]).toMatchObject({ type: 'journal.tail-cut', file: '0000000001.log', bytes: 9 });
  await torn.journal.close();

  const damaged = Buffer.from(await readFile(await path()));
  damaged[damaged.indexOf('"a"') + 1]! ^= 1;
  await writeFile(await path(), damaged);
  await expect(setUp(dir.path)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', file: '0000000001.log' });
  expect(await readFile(await path())).toEqual(damaged);
  const aside = await setUp(dir.path, nodeFileSystem, { onDamage: 'quarantine' });
  expect(aside.state).toEqual(['b']);
  expect(aside.journal.stats().quarantinedBytes).toBeGreaterThan(0);
  await aside.journal.close();
  expect(await readdir(join(dir.path, 'damaged'))).toHaveLength(1);
  const clean = await setUp(dir.path);
  expect(clean.state).toEqual(['b']);
  await clean.journal.close();
});

it('[P7] acknowledges nothing for an owner that lost the directory while it wrote, and keeps its late bytes out', async () => {
  await using dir = await tempDir();
  let lost = false;
  let stopped: (() => void) | undefined;
  const owner = {
    assertHeld() {
      if (lost) throw new Error('lost');
    },
    signal: new AbortController().signal,
    release: async () => undefined,
  };
  const state: string[] = [];
  const options: JournalOptions<string> = { dir: dir.path, apply: (r) => void state.push(r), snapshot: () => state };
  let atWrite: (() => void) | undefined;
  const slow: JournalFileSystem = {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      const file = await nodeFileSystem.open(path, flags, mode);
      const write = file.write.bind(file);
      return Object.assign(Object.create(file) as JournalFile, {
        read: file.read.bind(file),
        truncate: file.truncate.bind(file),
        datasync: file.datasync.bind(file),
        sync: file.sync.bind(file),
        stat: file.stat.bind(file),
        close: file.close.bind(file),
        write: async (...a: Parameters<JournalFile['write']>) => {
          if (atWrite) {
            const tell = atWrite;
            await new Promise<void>((resolve) => {
              stopped = resolve;
              tell();
            });
          }
          return write(...a);
        },
      });
    },
  };
  const given = { ...collaborators, fs: slow, acquire: () => Promise.resolve(owner) };
  const old = await openJournalWith(resolveOptions(options), given);
  await old.append('mine');
  const stalled = new Promise<void>((resolve) => {
    atWrite = resolve;
  });
  const late = old.append('late').catch((error: unknown) => error);
  await stalled;
  lost = true;
  const next: string[] = [];
  const journal = await openJournal<string>({ dir: dir.path, apply: (r) => void next.push(r), snapshot: () => next });
  await journal.append('theirs');
  atWrite = undefined;
  stopped?.();
  expect(await late).toMatchObject({ code: 'JOURNAL_FAILED' });
  await old.close();
  await journal.close();
  const last = await setUp(dir.path);
  expect(last.state).toEqual(['mine', 'theirs']);
  await last.journal.close();
});
