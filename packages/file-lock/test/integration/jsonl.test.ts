import { createReadStream } from 'node:fs';
import { appendFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { appendJsonl, isFileLockError, readJsonl } from '../../src/index.js';
import { startAgents } from '../agents.js';
import { bundle } from '../bundle.js';

interface Filled {
  by: string;
  n: number;
  filler: string;
}

describe('appendJsonl', () => {
  it('keeps records of 1 MiB from 8 processes whole and in the order of each [P44]', async () => {
    await using dir = await tempDir();
    await using compiled = await bundle('agent');
    await using agents = await startAgents(compiled, 8);
    const file = join(dir.path, 'f');
    const size = 2 ** 20;
    const told = { file, size, count: 2, options: { fsync: false } };
    await Promise.all(agents.map((agent, n) => agent.call('records', { ...told, text: `p${n}` }, 60_000)));
    const seen: string[] = [];
    for await (const { by, n, filler } of readJsonl<Filled>(file)) {
      expect(filler.length).toBe(size);
      seen.push(`${by} ${n}`);
    }
    const names = agents.flatMap((_, n) => [`p${n} 0`, `p${n} 1`]);
    expect([...seen].sort()).toEqual(names);
    for (const [n] of agents.entries()) expect(seen.indexOf(`p${n} 0`)).toBeLessThan(seen.indexOf(`p${n} 1`));
  });

  it('never glues a record to a torn tail, at whichever byte it was torn, and reports the torn line [P17]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const whole = '{"n":2,"text":"a\u2028b"}\n';
    for (let kept = 0; kept <= Buffer.byteLength(whole); kept++) {
      await writeFile(file, `{"n":1}\n${whole}`);
      await truncate(file, 8 + kept);
      await appendJsonl(file, { n: 3 }, { fsync: false });
      const torn: unknown[] = [];
      const records: unknown[] = [];
      for await (const record of readJsonl(file, { onTorn: (line) => torn.push(line) })) records.push(record);
      const survived = kept >= Buffer.byteLength(whole) - 1; // all but the newline is there: the record is whole
      const second = survived ? [{ n: 2, text: 'a\u2028b' }] : [];
      expect(records).toEqual([{ n: 1 }, ...second, { n: 3 }]);
      expect(torn).toHaveLength(kept === 0 || survived ? 0 : 1);
    }
  });

  it('appends several records at once or none, and refuses what JSON can not hold [P44]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await appendJsonl(file, [{ n: 1 }, { n: 2 }]);
    await appendJsonl(file, []);
    for (const bad of [undefined, 1n])
      await expect(appendJsonl(file, [{ n: 3 }, bad])).rejects.toMatchObject({ code: 'FILE_LOCK_INVALID_DATA' });
    expect(await text(file)).toBe('{"n":1}\n{"n":2}\n');
  });
});

describe('readJsonl', () => {
  it('has no records where there is no file, and stops at a damaged line unless told to go on [P17]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    expect(await read(file)).toEqual([]);
    await appendJsonl(file, { n: 1 });
    await appendFile(file, '{"n":');
    const error = await read(file).catch((thrown: unknown) => thrown);
    expect(isFileLockError(error, 'FILE_LOCK_INVALID_DATA') && error.message).toContain('line 2 of');
  });
});

async function read(file: string): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of readJsonl(file)) records.push(record);
  return records;
}

async function text(file: string): Promise<string> {
  let whole = '';
  for await (const chunk of createReadStream(file, 'utf8')) whole += String(chunk);
  return whole;
}
