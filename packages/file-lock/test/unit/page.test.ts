import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../src/index.js';

const source = (name: string): string => readFileSync(new URL(`../../src/${name}`, import.meta.url), 'utf8');
const page = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const everything = readdirSync(new URL('../../src', import.meta.url))
  .map(source)
  .join('\n');
/** The cells of the table whose header begins with `header`. */
const table = (header: string): string[][] => {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${header} |`));
  const rest = lines.slice(start + 2);
  return rest
    .slice(
      0,
      rest.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
};
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);

describe('README.md', () => {
  it('lists every error code and every event, and none that do not exist [P52]', () => {
    const codes = [...source('errors.ts').matchAll(/^ {2}\| '(FILE_LOCK_\w+)'/gm)].map(([, code]) => code);
    expect(
      table('Code')
        .flatMap(([cell = '']) => quoted(cell))
        .sort(),
    ).toEqual([...codes].sort());
    const events = [...source('events.ts').matchAll(/type: '([\w.-]+)'/g)].map(([, type]) => type);
    expect(
      table('Event')
        .flatMap(([cell = '']) => quoted(cell))
        .sort(),
    ).toEqual([...events].sort());
  });

  it('shows the defaults as they are, as do the docstrings [P52]', () => {
    const rows = new Map(
      table('Option').map(([name = '', , value = '']) => [quoted(name)[0], value.replaceAll('`', '')]),
    );
    const tags = new Map(
      [...everything.matchAll(/@defaultValue ([^\n]+)\n \s*\*\/\s+(\w+)\?:/g)].map(([, value, name]) => [name, value]),
    );
    for (const [name, value] of Object.entries(DEFAULTS)) {
      const shown = typeof value === 'string' ? `'${value}'` : String(value);
      expect(rows.get(name), name).toBe(shown);
      expect(tags.get(name), name).toBe(shown);
    }
  });

  it('shows every option there is [P52]', () => {
    const bodies = [...everything.matchAll(/export interface (?:\w*Options)[^{]*\{([\s\S]*?)\n\}/g)];
    const declared = bodies.flatMap(([, body = '']) =>
      [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name as string),
    );
    const shown = table('Option').flatMap(([cell = '']) => quoted(cell));
    expect([...new Set(shown)].sort()).toEqual([...new Set(declared)].sort());
  });
});
