import { figure, isSpread, number, type Report } from './report.ts';

const BAR = 18;
const GAP = 8;
const LEFT = 250;
const WIDTH = 760;

/** Horizontal bars of the first compared column, one a row, on a logarithmic scale when the figures span more than 30 times. */
export function plot(report: Report): string {
  const column = report.columns.find(({ better }) => better !== 'none') ?? report.columns[0]!;
  const rows = report.rows.flatMap((row) => {
    const value = figure(row.cells[column.name]);
    return value === undefined ? [] : [{ row, value, cell: row.cells[column.name] }];
  });
  const positive = rows.map(({ value }) => value).filter((value) => value > 0);
  const greatest = Math.max(...positive, Number.MIN_VALUE);
  const least = Math.min(...positive, greatest);
  const logarithmic = greatest / least > 30;
  const length = (value: number) => {
    if (value <= 0) return 0;
    const share = logarithmic ? (Math.log(value / least) + 1) / (Math.log(greatest / least) + 1) : value / greatest;
    return Math.max(2, share * (WIDTH - LEFT - 130));
  };
  const height = 62 + rows.length * (BAR + GAP);
  const bars = rows.map(({ row, value, cell }, n) => {
    const y = 44 + n * (BAR + GAP);
    const label = row.size === undefined ? row.who : `${row.who} · ${row.size}`;
    const span = isSpread(cell) && cell.rounds > 1 ? ` (${number(cell.min)}–${number(cell.max)})` : '';
    return [
      `<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${length(value).toFixed(1)}" height="${BAR}" rx="3" class="${row.kind}"/>`,
      `<text x="${(LEFT + length(value) + 8).toFixed(1)}" y="${y + 13}" class="value">${escapeXml(number(value) + span)}</text>`,
    ].join('\n  ');
  });
  const unit = column.unit === '' ? column.name : `${column.name}, ${column.unit}`;
  const caption = `${unit} · ${column.better === 'lower' ? 'less' : 'more'} is better${logarithmic ? ' · logarithmic' : ''}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(report.title)}">
  <style>text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:14px}.value{font-variant-numeric:tabular-nums}
  .ours{fill:#2f6f4f}.peer{fill:#9aa4b2}.floor{fill:#d0b36a}@media(prefers-color-scheme:dark){text{fill:#c9d1d9}.ours{fill:#5fb78a}}</style>
  <text x="10" y="18" class="title">${escapeXml(report.title)}</text>
  <text x="10" y="35">${escapeXml(caption)}</text>
  ${bars.join('\n  ')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);
}
