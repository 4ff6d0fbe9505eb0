// docs/benchmarks/: a page a package from bench/results, each table with its plot. Rebuilt from what is there; never edited.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../facts/packages.mjs';

const results = join(root, 'bench/results');
const pages = join(root, 'docs/benchmarks');

export function writeBenchmarks() {
  rmSync(pages, { recursive: true, force: true });
  mkdirSync(pages, { recursive: true });
  const groups = existsSync(results)
    ? readdirSync(results, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : [];
  const listed = [];
  for (const group of groups.sort()) {
    const tables = readdirSync(join(results, group))
      .filter((file) => file.endsWith('.md'))
      .map((file) => file.slice(0, -3))
      .sort();
    if (tables.length === 0) continue;
    const parts = tables.map((table) => `${section(group, table)}`);
    writeFileSync(
      join(pages, `${group}.md`),
      `---\noutline: [2, 2]\n---\n\n# Benchmarks: ${group}\n\n${parts.join('\n\n')}\n`,
    );
    listed.push(`- [${group}](./${group}.md): ${tables.length} tables`);
  }
  writeFileSync(join(pages, 'index.md'), overview(listed));
  return `${listed.length} pages`;
}

function section(group, table) {
  const base = join(results, group, table);
  // One level lower: a page holds several tables.
  let text = readFileSync(`${base}.md`, 'utf8').replace(
    /^(#+) /gm,
    (_, marks) => `${'#'.repeat(Math.max(2, marks.length + 1))} `,
  );
  if (!/^## /m.test(text)) text = `## ${table}\n\n${text}`;
  text = harmless(text.replace(/!\[[^\]]*\]\([^)]*\.svg\)/g, ''));
  const plot = existsSync(`${base}.svg`) ? figure(readFileSync(`${base}.svg`, 'utf8')) : '';
  return plot ? text.replace(/^(## .*)$/m, `$1\n\n${plot}\n`) : text;
}

/** Measured names and notes are text: no HTML, no template. */
function harmless(text) {
  return text
    .split(/(`[^`\n]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '{ {')))
    .join('');
}

/** The plot inline, its colours from the site's style sheet, so that it follows the theme switch. */
function figure(svg) {
  const inline = svg
    // Room for long names on the left.
    .replace(/viewBox="0 0 (\d+) (\d+)"/, (_, width, height) => `viewBox="-90 0 ${Number(width) + 90} ${height}"`)
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/\n\s*/g, '')
    .trim();
  return `<figure class="bench-plot" v-pre>${inline}</figure>`;
}

function overview(listed) {
  const body = listed.length > 0 ? listed.join('\n') : 'No table has been measured yet.';
  return `# Benchmarks

Our packages beside the libraries that people use for the same work, each as its README says, in interleaved rounds on one
machine. \`npm run bench\` repeats all of it and writes what is shown here; a table names its machine, its date, its target, and
says why we are behind where we are.

${body}

Rates on a shared machine tell which of two is faster and by how much, not what your machine will do. Counts of what was lost,
doubled or left hanging don't depend on the machine.
`;
}
