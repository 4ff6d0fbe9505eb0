import { mkdirSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runProcess, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { mintName } from '../../src/identity.js';
import {
  acquire,
  edit,
  isFileLockError,
  readVersioned,
  updateFile,
  updateJson,
  withFileLock,
  writeFileAtomic,
} from '../../src/index.js';
import { lockCases } from '../../src/testing.js';

const code = (error: unknown): string => (isFileLockError(error) ? error.code : String(error));

describe('lock conformance', () => {
  for (const { name, run } of lockCases)
    it(`${name} [P5]`, async () => {
      await using dir = await tempDir();
      await run(async () => ({ acquire, file: join(dir.path, 'f') }));
    });
});

describe('acquire', () => {
  it('refuses commit, assertHeld and release of a lost hold and leaves file and successor alone [P6]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, 'old');
    const hold = await acquire(file);
    const [owner] = readdirSync(`${file}.lock`) as [string];
    await rm(`${file}.lock/${owner}`, { recursive: true });
    await mkdir(`${file}.lock/o-successor`);
    expect(code(await hold.commit('late').catch((error: unknown) => error))).toBe('FILE_LOCK_LOST');
    expect(() => hold.assertHeld()).toThrow(expect.objectContaining({ code: 'FILE_LOCK_LOST' }));
    expect(hold.signal.aborted).toBe(true);
    expect(code(await hold.release().catch((error: unknown) => error))).toBe('FILE_LOCK_LOST');
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(readdirSync(`${file}.lock`)).toEqual(['o-successor']);
  });

  it('rejects the release of a hold whose loss nobody has noticed yet, and leaves the successor in [P6]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const hold = await acquire(file);
    const [owner] = readdirSync(`${file}.lock`) as [string];
    renameSync(`${file}.lock/${owner}`, `${file}.lock/o-successor`);
    await expect(hold.release()).rejects.toMatchObject({ code: 'FILE_LOCK_LOST' });
    expect(readdirSync(`${file}.lock`)).toEqual(['o-successor']);
  });

  it('has one lock for a file however it is spelled [P7]', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'a'));
    symlinkSync(join(dir.path, 'a'), join(dir.path, 'b'));
    await using _hold = await acquire(join(dir.path, 'a', 'f'));
    symlinkSync(join(dir.path, 'b', 'f'), join(dir.path, 'link'));
    const relativePath = relative(process.cwd(), join(dir.path, 'b', 'f'));
    for (const other of [join(dir.path, 'b', 'f'), `${dir.path}/a/../a/f`, join(dir.path, 'link'), relativePath])
      await expect(acquire(other, { timeoutMs: 0 })).rejects.toMatchObject({
        code: 'FILE_LOCK_TIMEOUT',
        holder: { pid: process.pid, proof: 'alive' },
      });
  });

  it('takes an empty marked directory as free and a fresh unmarked one as a plain peer that holds it [P8]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    mkdirSync(`${file}.lock`);
    await expect(acquire(file, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
      holder: { pid: undefined },
    });
    await chmod(`${file}.lock`, 0o1755);
    await (await acquire(file, { timeoutMs: 50 })).release();
    expect(readdirSync(dir.path)).toEqual([]);
  });

  it('removes what dead processes left, and nothing that may be alive [P9]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const gone = runProcess(process.execPath, ['-e', '']);
    await gone.exited;
    const dead = mintName().replace(/^(o-\w+)-\d+-\d+/, `$1-${gone.pid}-${gone.pid}`);
    const foreign = mintName().replace(/^o-\w+/, 'o-0123456789');
    await mkdir(`${file}.lock.new-${dead}`);
    await mkdir(`${file}.lock.new-${foreign}`);
    await (await acquire(file)).release();
    expect(readdirSync(dir.path)).toEqual([`f.lock.new-${foreign}`]);
  });

  it('refuses at once to wait for itself inside a callback [P10]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await withFileLock(file, () => expect(acquire(file)).rejects.toMatchObject({ code: 'FILE_LOCK_DEADLOCK' }));
    await updateFile(file, async () => {
      await expect(updateFile(file, () => 'x')).rejects.toMatchObject({ code: 'FILE_LOCK_DEADLOCK' });
      return undefined;
    });
  });

  it('fails at once where the directory is missing, and throws on bad options naming them [P11]', async () => {
    await using dir = await tempDir();
    await expect(acquire(join(dir.path, 'no', 'f'))).rejects.toMatchObject({ code: 'FILE_LOCK_IO' });
    expect(() => acquire('f', { staleMs: 5 })).toThrow(
      'staleMs must be a number of milliseconds, at least 2000, received 5',
    );
  });
});

describe('updateFile and its kin', () => {
  it('writes nothing for a stale version, a throw, or undefined [P12]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const { version } = await updateFile(file, () => 'one');
    await updateFile(file, () => 'two');
    await expect(updateFile(file, () => 'three', { ifVersion: version })).rejects.toMatchObject({
      code: 'FILE_LOCK_STALE_VERSION',
    });
    await expect(updateFile(file, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await updateFile(file, () => undefined)).toMatchObject({ changed: false });
    expect((await readVersioned(file)).data).toBe('two');
    await (await acquire(file, { timeoutMs: 0 })).release(); // and the lock is free
  });

  it('runs again on the newer text when an editor wrote in between, and loses neither change [P13]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, 'a\n');
    const types: string[] = [];
    let runs = 0;
    await updateFile(
      file,
      async (text) => {
        if (runs++ === 0) await appendFile(file, 'editor\n');
        return `${text}ours\n`;
      },
      { onEvent: (event) => types.push(event.type) },
    );
    expect(await readFile(file, 'utf8')).toBe('a\neditor\nours\n');
    expect(types).toContain('file.changed-outside');
  });

  it('rejects, or overwrites, such a change where the caller prefers that, and tells it every time [P13]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, 'a\n');
    for (const [onExternalChange, left] of [
      ['reject', 'a\neditor\n'],
      ['overwrite', 'a\neditor\nours\n'],
    ] as const) {
      const update = updateFile(
        file,
        async (text) => {
          await appendFile(file, 'editor\n');
          return `${text}ours\n`;
        },
        { onExternalChange },
      ).catch((error: unknown) => code(error));
      if (onExternalChange === 'reject') expect(await update).toBe('FILE_LOCK_STALE_VERSION');
      else expect(await update).toMatchObject({ changed: true });
      expect(await readFile(file, 'utf8')).toBe(left);
    }
  });

  it('keeps mode and symlink, and replaces the target [P14]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, 'a');
    await chmod(file, 0o640);
    symlinkSync('f', join(dir.path, 'link'));
    await writeFileAtomic(join(dir.path, 'link'), 'b');
    expect(await readFile(file, 'utf8')).toBe('b');
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(dir.path).sort()).toEqual(['f', 'link']);
    // A link to nothing yet, and an owner that only root may give.
    symlinkSync('new', join(dir.path, 'to-new'));
    await updateFile(join(dir.path, 'to-new'), () => 'c');
    expect(await readFile(join(dir.path, 'new'), 'utf8')).toBe('c');
    if (process.getuid?.() === 0) await chown(file, 12_345, 12_346);
    const { uid, gid } = statSync(file);
    await updateFile(file, () => 'd');
    expect(statSync(file)).toMatchObject({ uid, gid });
  });

  it('refuses damaged JSON and leaves it as it is [P15]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, '{"a":');
    await expect(updateJson(file, () => ({}))).rejects.toMatchObject({ code: 'FILE_LOCK_INVALID_DATA' });
    expect(await readFile(file, 'utf8')).toBe('{"a":');
  });

  it('lets others write while edit thinks, and merges into what the file has become [P16]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await edit(file, {
      think: async () => {
        await updateFile(file, () => 'other\n');
        return 'mine\n';
      },
      merge: (current, proposal) => `${current ?? ''}${proposal}`,
    });
    expect(await readFile(file, 'utf8')).toBe('other\nmine\n');
  });

  it('thinks again when merge refuses, and gives up after maxAttempts [P16]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await writeFile(file, '0');
    const bases: (string | null)[] = [];
    const fits = (current: string | null, proposal: string, base: string | null) =>
      current === base ? proposal : undefined;
    const busy = async (base: string | null): Promise<string> => {
      bases.push(base);
      if (bases.length < 3) await updateFile(file, () => String(bases.length));
      return 'mine';
    };
    await edit(file, { think: busy, merge: fits });
    expect(bases).toEqual(['0', '1', '2']);
    expect(await readFile(file, 'utf8')).toBe('mine');
    const never = edit(file, { think: () => 'x', merge: () => undefined }, { maxAttempts: 2 });
    await expect(never).rejects.toMatchObject({ code: 'FILE_LOCK_STALE_VERSION' });
  });
});
