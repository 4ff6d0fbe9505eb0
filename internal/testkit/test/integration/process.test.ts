import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, runNode, runProcess, tempDir } from '../../src/index.js';

const child = new URL('../fixtures/child.ts', import.meta.url);

describe('runNode', () => {
  it('runs TypeScript with workspace imports, and gives output, messages and the exit code', async () => {
    await using proc = runNode(child, { ipc: true });
    await proc.waitFor(/up (number)/);
    proc.send({ n: 1 });
    expect(await proc.nextMessage()).toEqual({ echo: { n: 1 } });
    proc.write('hello\n');
    await proc.waitFor('read hello');
    proc.send('end');
    expect(await proc.nextMessage((m: { echo: unknown }) => m.echo === 'end')).toEqual({ echo: 'end' });
    expect(await proc.exited).toEqual({ code: 7, signal: null });
  });

  it('kills the child when disposed', async () => {
    const proc = runNode(child, { ipc: true });
    await proc.waitFor('up');
    await proc[Symbol.asyncDispose]();
    expect(await proc.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

describe('runProcess', () => {
  it('says what was printed when the process ends before what was waited for', async () => {
    await using proc = runProcess('sh', ['-c', 'echo so far; exit 3']);
    await expect(proc.waitFor('never')).rejects.toThrow(/ended \(3\)[\s\S]*so far/);
  });

  it('rejects when the program does not exist', async () => {
    await using proc = runProcess('/no/such/program', []);
    await expect(proc.waitFor('x')).rejects.toThrow('ENOENT');
    await expect(proc.exited).rejects.toThrow('ENOENT');
  });
});

describe('tempDir', () => {
  it('is gone after disposal', async () => {
    let path = '';
    {
      await using dir = await tempDir('kit');
      path = dir.path;
      await writeFile(join(path, 'x'), 'y');
      expect(existsSync(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(false);
  });
});

describe('eventually', () => {
  it('gives the first value that counts', async () => {
    let n = 0;
    expect(await eventually(() => ++n >= 3 && n, { everyMs: 1 })).toBe(3);
  });

  it('ends with the last error', async () => {
    const failing = (): never => {
      throw new Error('not yet');
    };
    await expect(eventually(failing, { timeoutMs: 30, everyMs: 5 })).rejects.toThrow('not yet');
  });
});
