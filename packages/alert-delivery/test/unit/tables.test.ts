import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../src/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (name: string): Promise<string> => readFile(`${root}${name}`, 'utf8');
const rows = (page: string, head: string): string[][] => {
  const lines = page.slice(page.indexOf(head)).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
};

describe('README', () => {
  it('states every default as it is [P74]', async () => {
    const shown = new Map(
      rows(await text('README.md'), '| Option |').map(([name, , value]) => [name!.replaceAll('`', ''), value!]),
    );
    const flat = (value: object, at = ''): [string, string][] =>
      Object.entries(value).flatMap(([key, each]) =>
        typeof each === 'object' ? flat(each as object, `${at}${key}.`) : [[`${at}${key}`, String(each)]],
      );
    for (const [name, value] of flat(DEFAULTS)) {
      if (name === 'foldAbove' || name === 'mirrorBytes') continue;
      const said = shown.get(name)?.replace(/[,`]/g, '');
      expect([name, said]).toEqual([name, value]);
    }
  });

  it('lists every error code and every event, and none that is not there [P75]', async () => {
    const page = await text('README.md');
    const errors = await text('src/errors.ts');
    const codes = [...errors.matchAll(/\| '(DELIVERY_\w+)'/g)].map(([, code]) => code!);
    expect(rows(page, '| Code |').map(([code]) => /`(\w+)`/.exec(code!)?.[1])).toEqual(codes);
    const events = [...(await text('src/events.ts')).matchAll(/type: '([\w.-]+)'/g)].map(([, type]) => type!);
    const listed = [...page.slice(page.indexOf('| Event |')).matchAll(/`([a-z-]+\.[a-z-]+)`/g)].map(
      ([, type]) => type!,
    );
    expect([...new Set(listed)].sort()).toEqual([...new Set(events)].sort());
  });

  it('has no AbortSignal that lives until its timer fires, and no bare timer, in any source [P76]', async () => {
    const names = (await readdir(`${root}src`, { recursive: true })).filter((name) => name.endsWith('.ts'));
    for (const name of names) {
      const source = (await text(`src/${name}`)).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      expect([
        name,
        /AbortSignal\.(any|timeout)\(|(?<![\w.])setTimeout\(|setInterval\(|Date\.now\(\)|console\./.exec(source)?.[0],
      ]).toEqual([name, undefined]);
    }
  });
});
