import { cpSync, readdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openJournal } from '@holdfast/journal';
import { eventually, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore, type KbEvent, type KbOptions, openKb } from '../../src/index.js';
import { fault, watchDisk } from '../fixtures/disk.js';

const open = (dir: string, options: Partial<KbOptions> = {}) => openKb({ store: fileStore({ dir }), ...options });

async function logOf(dir: string): Promise<string> {
  const epoch = (await readdir(dir))
    .filter((name) => name.startsWith('epoch-'))
    .sort()
    .at(-1)!;
  const logs = (await readdir(join(dir, epoch))).filter((name) => name.endsWith('.log')).sort();
  for (const log of logs.reverse()) {
    if ((await readFile(join(dir, epoch, log))).includes('"title"')) return join(dir, epoch, log);
  }
  throw new Error(`no log with entries in ${dir}`);
}

describe('fileStore on a faulty disk', () => {
  it('[P26] resolves a put only after an fdatasync that began behind its last write has succeeded', async () => {
    await using folder = await tempDir('kb-sync');
    await using kb = await open(folder.path);
    const calls: string[] = [];
    using _disk = await watchDisk((call, path) => void (path.endsWith('.log') && calls.push(call)));
    for (let n = 0; n < 20; n++) {
      await kb.put({ id: `id-${n}`, title: 'x' });
      expect(calls.splice(0)).toEqual(['write', 'datasync']);
    }
  });

  it('[P40] shows a write to nobody before it is durable, and to everybody once it is acknowledged', async () => {
    await using folder = await tempDir('kb-visible');
    await using kb = await open(folder.path);
    let syncing = (): void => {};
    let release = (): void => {};
    const atSync = new Promise<void>((resolve) => {
      syncing = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    using _disk = await watchDisk(async (call, path) => {
      if (call !== 'datasync' || !path.endsWith('.log')) return;
      syncing();
      await gate;
    });
    const changes = kb.changes()[Symbol.asyncIterator]();
    const put = kb.put({ id: 'a', title: 'word', tags: ['t'] });
    await atSync;
    expect([kb.get('a'), kb.query({ text: 'word' }).total, kb.query({ all: ['t'] }).total]).toEqual([undefined, 0, 0]);
    release();
    const stored = await put;
    expect(kb.get('a')).toEqual(stored);
    expect([kb.query({ text: 'word' }).total, kb.query({ all: ['t'] }).total]).toEqual([1, 1]);
    expect((await changes.next()).value).toMatchObject({ type: 'put', id: 'a', rev: 1 });
  });

  it('[P27] stops writing for good at a failed fdatasync, says so, and goes on reading', async () => {
    await using folder = await tempDir('kb-eio');
    const kb = await open(folder.path);
    await kb.put({ id: 'a', title: 'kept' });
    let syncs = 0;
    {
      using _disk = await watchDisk((call, path) => {
        if (call === 'datasync' && path.endsWith('.log') && ++syncs > 0) throw fault('EIO');
      });
      const batch = [kb.put({ id: 'b', title: 'lost' }), kb.put({ id: 'c', title: 'lost' })];
      for (const each of await Promise.allSettled(batch)) {
        expect(each).toMatchObject({ status: 'rejected', reason: { code: 'KB_STORE_FAILED' } });
      }
      expect(syncs).toBe(1);
    }
    await expect(kb.put({ id: 'd', title: 'later' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
    expect(kb.health()).toMatchObject({ state: 'failed', entries: 1 });
    expect(kb.query({ text: 'kept' }).total).toBe(1);
    expect(kb.get('b')).toBeUndefined();
    await kb.close();
    await using again = await open(folder.path);
    expect(again.get('a')?.entry.title).toBe('kept');
  });

  it('[P28] rejects what a full disk refused, and is good again once there is space', async () => {
    await using folder = await tempDir('kb-enospc');
    const kb = await open(folder.path);
    await kb.put({ id: 'a', title: 'before' });
    let full = true;
    using _disk = await watchDisk((call, path) => {
      if (full && call === 'write' && path.endsWith('.log')) throw fault('ENOSPC');
    });
    await expect(kb.put({ id: 'b', title: 'no room' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
    expect(kb.get('b')).toBeUndefined();
    full = false;
    expect((await kb.put({ id: 'b', title: 'after' })).rev).toBe(1);
    await kb.close();
    await using again = await open(folder.path);
    expect([again.get('a')?.entry.title, again.get('b')?.entry.title]).toEqual(['before', 'after']);
    expect(again.health()).toMatchObject({ state: 'ready', tornBytes: 0 });
  });

  it('[P29] keeps everything acknowledged when it dies at any step of a compaction', async () => {
    await using folder = await tempDir('kb-compact');
    await using copies = await tempDir('kb-compact-copies');
    const events: KbEvent[] = [];
    const kb = await open(folder.path, { onEvent: (event) => events.push(event) });
    const body = 'x'.repeat(150_000);
    const acked = new Map<string, number>();
    let taken = 0;
    let seen = '';
    const expected: Map<string, number>[] = [];
    // The folder as a crash would leave it, each time that a file appears, goes, or a snapshot grows.
    const copyWhenChanged = (): void => {
      const epoch = readdirSync(folder.path).find((name) => name.startsWith('epoch-'))!;
      const names = readdirSync(join(folder.path, epoch)).join();
      if (names === seen || taken >= 12) return;
      seen = names;
      expected.push(new Map(acked));
      cpSync(folder.path, join(copies.path, String(taken++)), {
        recursive: true,
        filter: (path) => !path.slice(folder.path.length).startsWith('/owner'), // its owner is dead
      });
    };
    using _disk = await watchDisk((_call, path) => void (path.startsWith(folder.path) && copyWhenChanged()));
    for (let n = 0; !events.some((event) => event.type === 'kb.compacted'); n++) {
      const { entry, rev } = await kb.put({ id: `id-${n % 10}`, title: `version ${n}`, body });
      acked.set(entry.id, rev);
      copyWhenChanged();
      expect(n).toBeLessThan(500);
    }
    copyWhenChanged();
    await kb.close();
    expect(taken).toBeGreaterThanOrEqual(4);
    for (const [at, revisions] of expected.entries()) {
      await using copy = await open(join(copies.path, String(at)));
      for (const [id, rev] of revisions) expect(copy.get(id)?.rev).toBeGreaterThanOrEqual(rev);
      expect(await copy.verify()).toMatchObject({ ok: true });
    }
  });

  it('[P30] cuts and reports a torn tail; refuses damage before it with the files untouched, or sets it aside', async () => {
    await using folder = await tempDir('kb-damage');
    const first = await open(folder.path);
    for (const id of ['a', 'b', 'c']) await first.put({ id, title: `title ${id}` });
    await first.close();
    const path = await logOf(folder.path);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const at = lines.findIndex((line) => line.includes('title c'));
    await writeFile(path, `${lines.slice(0, at).join('\n')}\n${lines[at]!.slice(0, 30)}`);
    const events: KbEvent[] = [];
    const torn = await open(folder.path, { onEvent: (event) => events.push(event) });
    expect(torn.health()).toMatchObject({ state: 'ready', entries: 2, tornBytes: 30 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'kb.tail-cut', bytes: 30 }));
    await torn.close();

    const damagedPath = await logOf(folder.path);
    const damaged = await readFile(damagedPath);
    damaged[damaged.indexOf('title a')]! ^= 1;
    await writeFile(damagedPath, damaged);
    await expect(open(folder.path)).rejects.toMatchObject({ code: 'KB_START', kind: 'damaged' });
    expect(await readFile(damagedPath)).toEqual(damaged);
    await using aside = await open(folder.path, { onDamage: 'quarantine' });
    expect(aside.get('b')?.entry.title).toBe('title b');
    expect(aside.get('a')).toBeUndefined();
    expect(aside.health().quarantinedBytes).toBeGreaterThan(0);
  });

  it('[P35] sets an unreadable line aside, counts it, never writes over it, and keeps it through a compaction', async () => {
    await using folder = await tempDir('kb-poison');
    const first = await open(folder.path);
    await first.put({ id: 'good', title: 'good' });
    await first.close();
    const line = { id: 'bad', rev: 1, op: 'x', at: 1, entry: { id: 'bad', title: 7 } };
    const journal = await openJournal<unknown>({ dir: folder.path, apply: () => {}, snapshot: () => [] });
    await journal.append(line);
    await journal.close();

    const events: KbEvent[] = [];
    const kb = await open(folder.path, { onEvent: (event) => events.push(event) });
    expect(kb.health()).toMatchObject({ state: 'ready', entries: 1, quarantined: 1 });
    expect(events).toContainEqual({ type: 'kb.entry-quarantined', id: 'bad', reason: 'its title is no text' });
    await expect(kb.put({ id: 'bad', title: 'over it' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED', id: 'bad' });
    await expect(kb.delete('bad')).rejects.toMatchObject({ code: 'KB_STORE_FAILED', id: 'bad' });
    const body = 'x'.repeat(150_000);
    for (let n = 0; !events.some((event) => event.type === 'kb.compacted') && n < 500; n++) {
      await kb.put({ id: 'good', title: 'good', body });
    }
    await kb.close();
    const again = await open(folder.path);
    expect(again.health()).toMatchObject({ quarantined: 1, entries: 1 });
    await again.close();
    const refused = await open(folder.path, { onPoison: 'fail' }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'KB_START', kind: 'poison', id: 'bad' });
    await eventually(() => open(folder.path).then((kb) => kb.close().then(() => true)));
  });
});
