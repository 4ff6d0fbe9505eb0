// docs/generated/<package>/*.md: what the pages include from the sources, so that it can't drift from them.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiList } from '../facts/api.mjs';
import { errorFacts } from '../facts/errors.mjs';
import { defaults, optionTables } from '../facts/options.mjs';
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
    write(`${name}/error-facts.md`, errorFactsOf(name));
    write(`${name}/usage.md`, usageOf(name));
  }
  write('footprint.md', footprint());
  return `${files} files`;
}

/** A table for each options interface that an entry point exports: the two with most defaults in sight, the others folded. */
function optionsOf(name) {
  const exported = new Set([...apiList(name).matchAll(/^ {2}interface (\w+)$/gm)].map(([, type]) => type));
  const known = defaults(name);
  const ownOf = (table, row) => known[table.name === 'Step' ? `step.${row.name}` : row.name];
  const weight = (table) => table.rows.filter((row) => ownOf(table, row)).length;
  const tables = optionTables(name)
    .filter((table) => exported.has(table.name) && table.rows.length > 0)
    .sort((a, b) => weight(b) - weight(a))
    .map((table) => {
      const rows = table.rows.map((row) => {
        const own = ownOf(table, row);
        const stated = (row.defaultValue ?? own?.text ?? '').replaceAll('`', '');
        const fallback = row.required ? '*required*' : stated && `\`${stated}\``;
        const what = cell(row.text) || `\`${cell(row.type)}\``;
        return `| \`${row.name}\` | ${what} | ${fallback} | ${cell(own?.why ?? '')} |`;
      });
      const about = table.about ? `${angles(table.about)}\n\n` : '';
      return `#### \`${table.name}\`\n\n${about}| Option | What it does | Default | Why |\n|---|---|---|---|\n${rows.join('\n')}\n`;
    });
  const folded = tables.slice(2);
  const rest =
    folded.length > 0
      ? `\n::: details ${folded.length} more: adapters, stores, single calls\n${folded.join('\n')}\n:::\n`
      : '';
  return tables.slice(0, 2).join('\n') + rest;
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

/** What the command line says of itself, for the packages that have one. */
function usageOf(name) {
  const path = join(root, 'packages', name, 'src/command.ts');
  const usage = existsSync(path) && readFileSync(path, 'utf8').match(/const USAGE = `([^`]+)`/)?.[1];
  return usage ? `\`\`\`text\n${usage.trim()}\n\`\`\`\n` : '';
}

/** What an error carries beside its code, folded. */
function errorFactsOf(name) {
  const rows = errorFacts(name).map((fact) => `| \`${fact.name}\` | ${cell(fact.text)} |`);
  return `::: details What an error carries beside \`code\` and \`cause\`\n\n| Field | Means |\n|---|---|\n${rows.join('\n')}\n:::\n`;
}

function entryPointsOf(name) {
  return entryPoints(name)
    .map(({ specifier }) => `- [\`${specifier}\`](/reference/api/${specifier.replace('@holdfast/', '')}.md)`)
    .join('\n');
}

/** Text that is safe in a table cell: no pipes, no stray HTML. */
function cell(text) {
  return angles(text.trim()).replaceAll('|', '\\|').replace(/\s+/g, ' ');
}

function angles(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '{ {')))
    .join('');
}
