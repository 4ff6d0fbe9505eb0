import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import type { FileLockEvent } from '../../src/index.js';
import { acquire, breakLock, inspect } from '../../src/index.js';

const FOREIGN = 'o-0123456789-1-1-1-a-elsewhere';

describe('inspect', () => {
  it('shows who holds the lock, since when, with which token, and who waits, and changes nothing [P50]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    expect(await inspect(file)).toEqual({ held: false, waiters: 0, processesWaiting: 0 });
    await using hold = await acquire(file);
    const waiting = acquire(file);
    const before = readdirSync(dir.path);
    expect(await inspect(file)).toEqual({
      held: true,
      waiters: 1,
      processesWaiting: 0,
      holder: {
        owner: readdirSync(`${file}.lock`)[0],
        pid: process.pid,
        host: expect.any(String),
        proof: 'alive',
        ageMs: expect.any(Number),
        token: 0,
      },
    });
    expect(hold.token).toBe(1);
    expect((await inspect(file)).holder?.token).toBe(1);
    expect(readdirSync(dir.path)).toEqual([...before, 'f.lock.token']);
    await hold.release();
    await (await waiting).release();
  });
});

describe('breakLock', () => {
  it('frees the lock of exactly the owner that was shown, whose writes are refused from then on [P49]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const hold = await acquire(file);
    const { holder } = await inspect(file);
    const events: FileLockEvent[] = [];
    const token = holder?.owner as string;
    expect(await breakLock(file, { token, onEvent: (event) => events.push(event) })).toBe(true);
    expect(events).toEqual([{ type: 'lock.stolen', path: file, from: expect.objectContaining({ pid: process.pid }) }]);
    expect(readdirSync(dir.path)).toEqual([]);
    await expect(hold.commit('late')).rejects.toMatchObject({ code: 'FILE_LOCK_LOST' });
    // The same token again hits nobody: neither a free lock nor a successor.
    expect(await breakLock(file, { token })).toBe(false);
    await using successor = await acquire(file);
    expect(await breakLock(file, { token })).toBe(false);
    await successor.commit('new');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('takes the fencing token as well, and the lock of a plain peer or of another host [P49]', async () => {
    await using dir = await tempDir();
    const numbered = join(dir.path, 'numbered');
    const hold = await acquire(numbered);
    expect(await breakLock(numbered, { token: hold.token + 1 })).toBe(false);
    hold.assertHeld();
    expect(await breakLock(numbered, { token: hold.token })).toBe(true);
    expect(() => hold.assertHeld()).toThrow(expect.objectContaining({ code: 'FILE_LOCK_LOST' }));

    const plain = join(dir.path, 'plain');
    mkdirSync(`${plain}.lock`);
    expect(await breakLock(plain, { token: (await inspect(plain)).holder?.owner as string })).toBe(true);

    const foreign = join(dir.path, 'foreign');
    mkdirSync(`${foreign}.lock/${FOREIGN}`, { recursive: true });
    expect(await breakLock(foreign, { token: FOREIGN })).toBe(true);
    expect(readdirSync(dir.path)).toEqual(['numbered.lock.token']);
  });

  it('wakes who waits, and refuses a token that is none [P49]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    mkdirSync(`${file}.lock/${FOREIGN}`, { recursive: true });
    const waiting = acquire(file, { takeover: 'dead-only', timeoutMs: 30_000 });
    await eventually(async () => (await inspect(file)).processesWaiting === 1);
    expect(await breakLock(file, { token: FOREIGN })).toBe(true);
    await (await waiting).release();
    expect(() => breakLock(file, { token: '' })).toThrow(
      "token must be inspect's holder.owner or holder.token, received ''",
    );
  });
});
