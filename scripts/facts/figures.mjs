// Figures in READMEs and pages come from bench/results. Written as
//   <!--bench idempotency/rates | holdfast | first/s | 10k-->138,000<!--/bench-->   (table | row | column | size, the size only where a table has sizes)
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packages.mjs';

const MARK = /<!--bench ([^>]+?)-->([\s\S]*?)<!--\/bench-->/g;

/** Every Markdown file that may hold figures. */
export function pagesWithFigures() {
  const docs = readdirSync(join(root, 'docs'), { recursive: true })
    .filter((file) => file.endsWith('.md') && !/^(generated|benchmarks|reference\/api|\.vitepress)\//.test(file))
    .map((file) => join(root, 'docs', file));
  const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name, 'README.md'));
  return [...docs, ...packages, join(root, 'README.md'), join(root, 'examples/orchestrator/README.md')].filter((path) =>
    existsSync(path),
  );
}

/** The text with every figure as measured last, and what could not be found or differed before. */
export function withFigures(text, reportOf = readReport) {
  const faults = [];
  const fresh = text.replace(MARK, (whole, spec, written) => {
    const [table, who, column, size] = spec.split('|').map((part) => part.trim());
    const report = reportOf(table);
    const row = report?.rows.find((each) => each.who === who && (size === undefined || String(each.size) === size));
    const cell = row?.cells[column];
    const value = typeof cell === 'number' ? cell : cell?.median;
    if (value === undefined) {
      faults.push(`${spec}: bench/results has no such figure`);
      return whole;
    }
    const figure = format(value);
    if (figure !== written) faults.push(`${spec}: says ${written}, measured ${figure}`);
    return `<!--bench ${spec}-->${figure}<!--/bench-->`;
  });
  return { text: fresh, faults };
}

/** Three significant digits; thousands apart. */
function format(value) {
  if (value === 0) return '0';
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 4 });
}

function readReport(table) {
  const path = join(root, 'bench/results', `${table}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
