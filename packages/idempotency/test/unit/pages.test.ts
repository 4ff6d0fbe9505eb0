import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HTTP_DEFAULTS } from '../../src/http/options.js';
import { DEFAULTS } from '../../src/options.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');

describe('README', () => {
  it('has the defaults that the code has, and so have the @defaultValue tags [P80]', () => {
    for (const [option, value] of Object.entries({ ...DEFAULTS, ...HTTP_DEFAULTS })) {
      const shown = typeof value === 'number' ? value.toLocaleString('en') : value;
      expect(readme).toMatch(new RegExp(`^\\| \`${option}\` \\| [^|]*\\| ${shown} \\|`, 'm'));
    }
    const sources = ['options', 'memory-store', 'http/options'].map((name) => read(`src/${name}.ts`)).join('\n');
    const tags = [...sources.matchAll(/@defaultValue ([^\n]*?)\s*(?:\*\/\n|\n[^\n]*\*\/\n)\s*(\w+)\?:/g)];
    const known: Record<string, unknown> = { ...DEFAULTS, ...HTTP_DEFAULTS };
    const compared = [...tags].filter(([, tag, option]) => option! in known && tag !== "the instance's");
    expect(compared.length).toBeGreaterThanOrEqual(10);
    for (const [, tag, option] of compared) {
      const value = known[option!];
      expect([option, tag!.replaceAll('_', '').replaceAll("'", '')]).toEqual([option, String(value)]);
    }
  });

  it('lists every error code and every event, and no others [P80]', () => {
    const codes = (text: string): Set<string> => new Set(text.match(/IDEMPOTENCY_[A-Z_]+[A-Z]/g));
    expect(codes(readme.slice(readme.indexOf('| Code |')))).toEqual(
      codes(read('src/errors.ts').split('export interface')[0]!),
    );
    const events = new Set([...read('src/events.ts').matchAll(/type: '([\w.]+)'/g)].map(([, type]) => type!));
    const table = readme.slice(readme.indexOf('| Event |'), readme.indexOf('**When not'));
    const listed = new Set([...table.matchAll(/`((?:run|call|entry|store|http)\.\w+)`/g)].map(([, type]) => type!));
    expect(listed).toEqual(events);
  });
});
