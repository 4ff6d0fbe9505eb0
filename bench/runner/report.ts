import { fittedGrowth } from './growth.ts';
import type { Machine } from './machine.ts';
import type { Cell, Column, Row, Spread, Table, TableOutcome } from './table.ts';

/** What is written to `results/<package>/<table>.json`; the docs site and the READMEs take their figures from it. */
export interface Report extends TableOutcome {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly columns: readonly Column[];
  readonly measuredAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
}

export function isSpread(cell: Cell | undefined): cell is Spread {
  return typeof cell === 'object';
}

/** The number that stands for a cell; undefined for words. */
export function figure(cell: Cell | undefined): number | undefined {
  if (typeof cell === 'number') return cell;
  return isSpread(cell) ? cell.median : undefined;
}

/** Ours divided by the other row's figure, so 2 means twice the peer's number. */
export function ratio(ours: Row | undefined, other: Row, column: Column): number | undefined {
  const mine = figure(ours?.cells[column.name]);
  const theirs = figure(other.cells[column.name]);
  return mine === undefined || theirs === undefined || theirs === 0 ? undefined : mine / theirs;
}

export function markdown(report: Report): string {
  const compared = report.columns.filter((column) => column.better !== 'none');
  const sized = report.rows.some((row) => row.size !== undefined);
  const head = [
    ...(sized ? ['size'] : []),
    'who',
    ...report.columns.map(({ name, unit }) => (unit === '' ? name : `${name} (${unit})`)),
    ...compared.map(({ name }) => `ours ÷ theirs, ${name}`),
  ];
  const lines = report.rows.map((row) => {
    const ours = report.rows.find((other) => other.kind === 'ours' && other.size === row.size);
    const ratios = compared.map((column) => {
      const times = row.kind === 'ours' ? undefined : ratio(ours, row, column);
      return times === undefined ? '' : `${number(times)} ×`;
    });
    const who = row.kind === 'ours' ? `**${row.who}**` : row.kind === 'floor' ? `_${row.who}_ (floor)` : row.who;
    const cells = report.columns.map(({ name }) => show(row.cells[name]));
    return `| ${[...(sized ? [row.size ?? ''] : []), who, ...cells, ...ratios].join(' | ')} |`;
  });
  const { machine } = report;
  return [
    `# ${report.title}`,
    '',
    report.about,
    '',
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...lines,
    '',
    ...(report.growth ?? []).map((line) => `- ${line}`),
    ...(report.notes ?? []).map((line) => `- ${line}`),
    ...(report.targets ?? []).map(
      ({ claim, measured, met }) => `- Target ${met ? 'met' : '**missed**'}: ${claim} — measured ${measured}.`,
    ),
    '',
    `Medians with (least–greatest) of interleaved rounds. ${report.quick ? 'Quick run. ' : ''}${machine.cpu}, ${machine.cores} cores, ` +
      `${machine.memoryGiB} GiB, ${machine.platform}, ${machine.fileSystem}, Node ${machine.node}; ${report.measuredAt.slice(0, 10)}, ` +
      `${report.seconds} s. Reproduce: \`npm run bench -- ${report.name}\`.`,
    '',
  ].join('\n');
}

export function show(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return number(cell);
  return `${number(cell.median)} (${number(cell.min)}–${number(cell.max)})`;
}

/** Three significant digits, thousands grouped; whole numbers from 100 up. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const rounded = Number(value.toPrecision(3));
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(rounded);
}

export function reportOf(
  table: Table,
  outcome: TableOutcome,
  facts: Pick<Report, 'measuredAt' | 'seconds' | 'quick' | 'machine'>,
): Report {
  const { name, title, about, columns } = table;
  const growth = outcome.growth ?? fittedGrowth(outcome.rows, columns);
  return { name, title, about, columns, ...facts, ...outcome, growth };
}
