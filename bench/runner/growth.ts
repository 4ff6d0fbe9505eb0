import { figure } from './report.ts';
import { exponent, grows } from './statistics.ts';
import type { Column, Row } from './table.ts';

interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * How the figures of a table grow with its sizes, a sentence a column, for everybody who was measured at two sizes or more.
 * A size is a number and what it counts: `64 writers`, `1,000 keys`; rows whose sizes count different things are kept apart.
 */
export function fittedGrowth(rows: readonly Row[], columns: readonly Column[]): string[] {
  const sentences: string[] = [];
  for (const { name } of columns.filter(({ better }) => better !== 'none')) {
    const byUnit = new Map<string, Map<string, Point[]>>();
    for (const row of rows) {
      const size = sizeOf(row.size);
      const y = figure(row.cells[name]);
      if (size === undefined || y === undefined || y <= 0) continue;
      const byWho = byUnit.get(size.unit) ?? new Map<string, Point[]>();
      byWho.set(row.who, [...(byWho.get(row.who) ?? []), { x: size.count, y }]);
      byUnit.set(size.unit, byWho);
    }
    for (const [unit, byWho] of byUnit) {
      const fitted = [...byWho].filter(([, points]) => new Set(points.map(({ x }) => x)).size > 1);
      if (fitted.length === 0) continue;
      const counts = fitted.flatMap(([, points]) => points.map(({ x }) => x));
      const range = `${Math.min(...counts).toLocaleString('en')} to ${Math.max(...counts).toLocaleString('en')}`;
      const said = fitted.map(([who, points]) => {
        const slope = exponent(points);
        return `${who} ${grows(slope)} (exponent ${slope.toFixed(2)})`;
      });
      sentences.push(`${name}, from ${range} ${unit}: ${said.join('; ')}.`);
    }
  }
  return sentences;
}

/** `64 writers` as 64 of `writers`, and so is `1 writer` 1 of them; undefined for a size in words. */
function sizeOf(size: string | undefined): { count: number; unit: string } | undefined {
  const [, digits, unit] = /^([\d,]+) ([a-z][a-z, ]*)$/.exec(size ?? '') ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const plural = digits !== '1' ? unit : unit.endsWith('ss') ? `${unit}es` : `${unit}s`;
  return { count: Number(digits.replaceAll(',', '')), unit: plural };
}
