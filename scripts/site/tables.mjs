// docs/generated/<package>/*.md: what the pages include from the sources, so that it can't drift from them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiList } from '../facts/api.mjs';
import { optionTables, reasons } from '../facts/options.mjs';
import { entryPoints, PACKAGES, root } from '../facts/packages.mjs';
import { footprint } from './footprint.mjs';

export function writeTables() {
  rmSync(join(root, 'docs/generated'), { recursive: true, force: true });
  let files = 0;
  const write = (path, text) => {
    mkdirSync(join(root, 'docs/generated', path, '..'), { recursive: true });
    writeFileSync(join(root, 'docs/generated', path), text);
    files++;
  };
  for (const name of PACKAGES) {
    write(`${name}/options.md`, optionsOf(name));
    write(`${name}/promises.md`, promisesOf(name));
    write(`${name}/entry-points.md`, entryPointsOf(name));
  }
  write('footprint.md', footprint());
  return `${files} files`;
}

/** A table for each options interface that an entry point exports. */
function optionsOf(name) {
  const exported = new Set([...apiList(name).matchAll(/^ {2}interface (\w+)$/gm)].map(([, type]) => type));
  const why = reasons(name);
  const tables = optionTables(name)
    .filter((table) => exported.has(table.name) && table.rows.length > 0)
    .sort((a, b) => Number(b.rows.some((row) => row.defaultValue)) - Number(a.rows.some((row) => row.defaultValue)))
    .map((table) => {
      const rows = table.rows.map((row) => {
        const reason = why[row.name] ?? why[`step.${row.name}`] ?? '';
        const fallback = row.required ? '*required*' : row.defaultValue ? `\`${row.defaultValue}\`` : '';
        return `| \`${row.name}\` | ${cell(row.text) || `\`${cell(row.type)}\``} | ${fallback} | ${cell(reason)} |`;
      });
      return `#### \`${table.name}\`\n\n${table.about ? `${angles(table.about)}\n\n` : ''}| Option | What it does | Default | Why |\n|---|---|---|---|\n${rows.join('\n')}\n`;
    });
  return tables.join('\n');
}

function promisesOf(name) {
  const text = readFileSync(join(root, 'packages', name, 'PROMISES.md'), 'utf8');
  const rows = [...text.matchAll(/^\|\s*P?(\d+)\s*\|(.*?)\|([^|]*)\|\s*$/gm)];
  const lines = rows.map(([, n, promise, test]) => {
    const files = test.split(',').map((file) => `<code>${file.trim().replace(/^test\//, '')}</code>`);
    return `| <a id="p${n}"></a>${n} | ${cell(promise)} | ${files.join('<br>')} |`;
  });
  return `${rows.length} promises. A check fails when one of them has no test that carries its number, and the reverse.\n\n| n | Promise | Test |\n|---|---|---|\n${lines.join('\n')}\n`;
}

function entryPointsOf(name) {
  return entryPoints(name)
    .map(({ specifier }) => `- [\`${specifier}\`](/reference/api/${specifier.replace('@holdfast/', '')}.md)`)
    .join('\n');
}

/** Text that is safe in a table cell: no pipes, no stray HTML. */
export function cell(text) {
  return angles(text.trim()).replaceAll('|', '\\|').replace(/\s+/g, ' ');
}

function angles(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '{ {')))
    .join('');
}
