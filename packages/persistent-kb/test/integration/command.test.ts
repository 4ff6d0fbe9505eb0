import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { needs, runNode, startMongod, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../src/command.js';
import { fileStore, openKb } from '../../src/index.js';
import { fillFolder, manyEntries } from '../fixtures/entries.js';

/** Runs a command, and tells its exit code and what it wrote. */
async function command(argv: string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([text(stdout), text(stderr)]);
  const code = await runCommand(argv, { stdin: Readable.from([Buffer.from(input)]), stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, out, err };
}

describe('persistent-kb on the command line', () => {
  it('[P54] imports with a word for each refusal, exports what it imported, counts and verifies, on a folder', async () => {
    await using folder = await tempDir('kb-cli');
    const dir = join(folder.path, 'kb');
    const lines = [
      '{"id":"a","title":"A","tags":["x"],"body":"text"}',
      '{"id":"b","title":7}',
      '{"id":"c","title":"C"}',
    ];
    const imported = await command(['import', dir], `${lines.join('\n')}\n`);
    expect(imported).toEqual({
      code: 1,
      out: 'imported 2, refused 1\n',
      err: "'b' is refused: title must be a string\n",
    });
    const exported = await command(['export', dir]);
    expect(
      exported.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { entry: { id: 'a', title: 'A', tags: ['x'], body: 'text' }, rev: 1 },
      { entry: { id: 'c', title: 'C' }, rev: 1 },
    ]);
    expect((await command(['export', dir, '--format', 'markdown'])).out).toContain('## A');
    expect(JSON.parse((await command(['stats', dir])).out)).toMatchObject({ entries: 2, tags: 1 });
    expect(await command(['verify', dir])).toMatchObject({ code: 0, out: expect.stringContaining('entries 2') });

    const other = join(folder.path, 'other');
    const file = join(folder.path, 'export.jsonl');
    await writeFile(file, exported.out);
    expect(await command(['import', other, '--from', file])).toMatchObject({ code: 0, out: 'imported 2, refused 0\n' });
    const broken = await command(['import', other], 'no json');
    expect(broken).toMatchObject({ code: 1, err: expect.stringContaining('line 1 is no JSON') });
  });

  it('[P54] refuses a folder that is not there without making it, a bad command, a folder in use and damage', async () => {
    await using folder = await tempDir('kb-cli');
    const dir = join(folder.path, 'kb');
    for (const name of ['verify', 'export', 'stats']) {
      expect(await command([name, dir])).toMatchObject({ code: 2, err: expect.stringContaining('there is no folder') });
    }
    await expect(stat(dir)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const argv of [
      [],
      ['nonsense', dir],
      ['verify'],
      ['verify', dir, 'more'],
      ['export', dir, '--format', 'xml'],
    ]) {
      expect(await command(argv)).toMatchObject({ code: 2, out: '', err: expect.stringContaining('usage:') });
    }
    const kb = await openKb({ store: fileStore({ dir }) });
    await kb.put({ id: 'first', title: 'x' });
    await kb.put({ id: 'second', title: 'x' });
    expect(await command(['verify', dir])).toMatchObject({
      code: 2,
      err: expect.stringContaining(String(process.pid)),
    });
    await kb.close();
    const epoch = join(dir, (await readdir(dir)).find((name) => name.startsWith('epoch-'))!);
    const log = join(epoch, (await readdir(epoch)).sort()[0]!);
    const bytes = await readFile(log);
    bytes[bytes.indexOf('first')]! ^= 1;
    await writeFile(log, bytes);
    expect(await command(['verify', dir])).toMatchObject({ code: 1, err: expect.stringContaining('damaged') });
    expect(await command(['verify', dir, '--quarantine'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('entries 1'),
    });
    expect(await command(['verify', dir])).toMatchObject({ code: 0 });
  });

  it('[P54] runs as a program, and tells how far long work is', async () => {
    await using folder = await tempDir('kb-cli');
    await fillFolder(folder.path, manyEntries(60_000));
    const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
    await using proc = runNode(cli, { args: ['verify', folder.path], stdin: 'ignore' });
    expect(await proc.exited).toEqual({ code: 0, signal: null });
    expect(proc.stdout).toContain('entries 60000');
    expect(proc.stderr).toMatch(/loading: [\d,]+ of [\d,]+ bytes|tag index: [\d,]+/);
  });

  it.skipIf(!needs('mongod'))('[P54] takes a connection string too, and repairs', async () => {
    await using mongod = await startMongod({ replSet: true });
    const uri = mongod.uriFor('kb');
    expect(await command(['import', uri, '--collection', 'notes'], '{"id":"a","title":"A"}')).toMatchObject({
      code: 0,
    });
    expect(JSON.parse((await command(['stats', uri, '--collection', 'notes'])).out)).toMatchObject({ entries: 1 });
    expect(JSON.parse((await command(['stats', uri])).out)).toMatchObject({ entries: 0 });
    expect(await command(['verify', uri, '--collection', 'notes', '--repair'])).toMatchObject({ code: 0 });
    const refused = await command(['stats', 'mongodb://u:s3cret@127.0.0.1/kb?nonsense=1']);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('malformed') });
    expect(refused.err).not.toContain('s3cret');
  });
});
