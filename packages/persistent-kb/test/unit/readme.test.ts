import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../src/index.js';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const readme = read('README.md');
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found]) => found!).sort();
const section = (title: string): string => readme.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;

describe('README', () => {
  it('lists every error code and every kind of KB_START, and no other', () => {
    const source = read('src/errors.ts');
    const codes = matches(source.split('export type KbErrorCode')[1]!.split(';')[0]!, /'(\w+)'/g);
    const kinds = matches(source.split('export type KbStartKind')[1]!.split(';')[0]!, /'([\w-]+)'/g);
    const [table, list] = section('Errors').split('Kinds of `KB_START`:');
    expect(matches(table!, /^\| `(KB_\w+)` \|/gm)).toEqual(codes);
    expect(matches(list!, /`([\w-]+)`/g)).toEqual(kinds);
  });

  it('lists every event, and no other', () => {
    expect(matches(section('Events'), /`(kb\.[\w-]+)`/g)).toEqual(
      matches(read('src/events.ts'), /type: '(kb\.[\w-]+)'/g),
    );
  });

  it('lists every option with the default that the code has', () => {
    const options = matches(
      read('src/options.ts').split('/** {@link KbOptions} with')[0]!.split('export const')[0]!,
      /^ {2}(\w+)\??:/gm,
    );
    const rows = section('Options')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows.flatMap((row) => matches(row.split('|')[1]!, /`(\w+)`/g)).sort()).toEqual(options);
    for (const row of rows) {
      const [, names = '', , value = ''] = row.split('|').map((cell) => cell.trim());
      const name = names.replaceAll('`', '');
      if (!(name in DEFAULTS)) continue;
      expect(`${name} ${value.replaceAll(/[,`']/g, '')}`).toBe(`${name} ${DEFAULTS[name as keyof typeof DEFAULTS]}`);
    }
  });
});
