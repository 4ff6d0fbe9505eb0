// The tables of a README or page, and the names in their first column.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packages.mjs';

export function readme(name) {
  return readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
}

/** `[{ header: ['Code', 'When', …], rows: [[…], …], line }]`; a `\|` in a cell is a pipe, not a border. */
export function tables(text) {
  const found = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    if (!lines[at].startsWith('|') || !/^\|[\s:|-]+\|?\s*$/.test(lines[at + 1] ?? '')) continue;
    const header = cells(lines[at]);
    const rows = [];
    for (at += 2; at < lines.length && lines[at].startsWith('|'); at++) rows.push(cells(lines[at]));
    found.push({ header, rows });
  }
  return found;
}

/**
 * The names in backticks of a cell. What begins with `_` or `.` goes on with the beginning of the one before:
 * `` `A_X`, `_Y` `` is A_X and A_Y, `` `a.x`, `.y` `` is a.x and a.y.
 */
export function names(cell) {
  const found = [];
  for (const [, name] of cell.matchAll(/`([^`]+)`/g)) {
    const before = found.at(-1) ?? '';
    if (name.startsWith('.')) found.push(before.slice(0, before.indexOf('.')) + name);
    else if (name.startsWith('_')) found.push(before.slice(0, before.indexOf('_')) + name);
    else found.push(name);
  }
  return found;
}

/** The rows of every table whose first header is `title`. */
export function rowsOf(text, title) {
  return tables(text)
    .filter(({ header }) => header[0] === title)
    .flatMap(({ rows }) => rows);
}

function cells(line) {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((text) => text.trim());
}
