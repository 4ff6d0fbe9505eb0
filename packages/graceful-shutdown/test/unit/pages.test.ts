import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../src/options.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');
const section = (title: string): string => readme.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;
const numeric = Object.entries(DEFAULTS).filter(([, value]) => typeof value === 'number');

describe('README.md', () => {
  it('[P58] tells the defaults that the code has', () => {
    const rows = [...section('Options').matchAll(/^\| `(\w+)` \| [^|]* \| (\d+) \|/gm)];
    expect(Object.fromEntries(rows.map(([, name, value]) => [name, Number(value)]))).toEqual(
      Object.fromEntries(numeric),
    );
  });

  it('[P58] lists every error code, and none that does not exist', () => {
    const codes = read('src/errors.ts')
      .match(/'LIFECYCLE_\w+'/g)!
      .map((code) => code.slice(1, -1));
    const listed = section('Errors').match(/(?<=^\| `)LIFECYCLE_\w+/gm);
    expect(listed?.sort()).toEqual([...new Set(codes)].sort());
  });

  it('[P58] lists every event, and none that does not exist', () => {
    const types = read('src/events.ts').match(/(?<=type: ')[\w.]+/g)!;
    const listed = [...section('Events').matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) => {
      let group = '';
      return cell!.match(/(?<=`)[\w.]+(?=`)/g)!.map((name) => {
        if (!name.startsWith('.')) group = name.split('.')[0]!;
        return name.startsWith('.') ? group + name : name;
      });
    });
    expect(listed.sort()).toEqual([...new Set(types)].sort());
  });

  it('[P58] the @defaultValue of an option is its default', () => {
    for (const file of ['src/options.ts', 'src/http-component.ts', 'src/deadline.ts'])
      for (const [, value, name] of read(file).matchAll(/@defaultValue ([\d_]+) \*\/\n\s+(\w+)\?:/g))
        expect([name, Number(value!.replaceAll('_', ''))]).toEqual([name, DEFAULTS[name as keyof typeof DEFAULTS]]);
  });
});
