import { type Facts, holds } from './failure.js';

const COLUMNS = [
  '#',
  'program',
  'acknowledged',
  'lost',
  'doubled',
  'hung',
  'corrupted',
  'MB leaked',
  'verdict',
  'also',
];
const WIDTHS = [2, 38, 12, 6, 7, 5, 9, 9, 7, 4];

export const TABLE_HEAD = line(COLUMNS);

export function row(number: number, side: 'before' | 'after', program: string, facts: Facts): string {
  const { acknowledged, lost, doubled, hung, corrupted, leakedBytes, wrong } = facts;
  const leaked = leakedBytes === 0 ? '0' : (leakedBytes / 1e6).toFixed(1);
  const counts = [acknowledged, lost, doubled, hung, corrupted].map((count) => String(count));
  const verdict = holds(facts) ? 'holds' : 'FAILS';
  return line([String(number), `${side} ${program.replace(/^\d-/, '')}`, ...counts, leaked, verdict, wrong.join('; ')]);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, n) => (n < 2 || n >= 8 ? cell.padEnd(WIDTHS[n]!) : cell.padStart(WIDTHS[n]!)))
    .join('  ')
    .trimEnd();
}
