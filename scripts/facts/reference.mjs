// docs/reference/errors.md and events.md: their rows beside what the sources have. People write the texts; names and fields are checked.
import { errorCodes } from './errors.mjs';
import { events } from './events.mjs';
import { PACKAGES } from './packages.mjs';
import { names, readme, rowsOf } from './readme.mjs';

/** The section of a page for a package: from its heading to the next. */
function sectionOf(page, name) {
  const from = page.indexOf(`\n## ${name}\n`);
  if (from < 0) return '';
  const to = page.indexOf('\n## ', from + 4);
  return page.slice(from, to < 0 ? undefined : to);
}

/** What differs between the errors page and the sources, in words. */
export function errorFaults(page) {
  return PACKAGES.flatMap((name) => compare(name, errorCodes(name), rowsByName(sectionOf(page, name), 'Code', 3)));
}

/** What differs between the events page and the sources, in words; fields included. */
export function eventFaults(page) {
  return PACKAGES.flatMap((name) => {
    const rows = rowsByName(sectionOf(page, name), 'Event', 3);
    const known = events(name);
    const fields = known.flatMap(({ type, fields }) => {
      const written = rows.get(type)?.[1];
      if (written === undefined || names(written).join() === fields.join()) return [];
      return [`${name}: ${type} has the fields ${fields.join(', ') || 'none'}, the page says ${written}`];
    });
    return [
      ...compare(
        name,
        known.map(({ type }) => type),
        rows,
      ),
      ...fields,
    ];
  });
}

/** The page with the rows that the sources have: texts are kept, new ones come from the sources or the README. */
export function syncedErrors(page) {
  return synced(page, 'Code', ['Code', 'When', 'What to do'], (name) => {
    const said = rowsOf(readme(name), 'Code');
    return errorCodes(name).map((code) => {
      const row = said.find((cells) => names(cells[0]).includes(code));
      return { name: code, fresh: [row?.[1] ?? '', row?.[2] ?? ''], keep: [1, 2] };
    });
  });
}

export function syncedEvents(page) {
  return synced(page, 'Event', ['Event', 'Fields', 'When'], (name) => {
    const said = rowsOf(readme(name), 'Event');
    return events(name).map(({ type, fields, text }) => {
      const row = said.find((cells) => names(cells[0]).includes(type));
      return {
        name: type,
        fresh: [fields.map((field) => `\`${field}\``).join(', '), text || row?.[1] || ''],
        keep: [2],
      };
    });
  });
}

function compare(name, known, rows) {
  const faults = known.filter((each) => !rows.has(each)).map((each) => `${name}: ${each} is not on the page`);
  for (const each of rows.keys())
    if (!known.includes(each)) faults.push(`${name}: ${each} is on the page and not in the sources`);
  for (const [each, cells] of rows) if (cells.at(-1) === '') faults.push(`${name}: ${each} has no text`);
  return faults;
}

function rowsByName(section, title, columns) {
  const rows = rowsOf(section, title).filter((cells) => cells.length === columns);
  return new Map(rows.flatMap((cells) => names(cells[0]).map((name) => [name, cells])));
}

function synced(page, title, header, wanted) {
  let text = page;
  for (const name of PACKAGES) {
    const section = sectionOf(text, name);
    const old = rowsByName(section, title, header.length);
    const rows = wanted(name).map(({ name: each, fresh, keep }) => {
      const before = old.get(each);
      const cells = [
        `\`${each}\``,
        ...fresh.map((value, n) => (before && keep.includes(n + 1) && before[n + 1]) || value),
      ];
      return `| ${cells.join(' | ')} |`;
    });
    const table = `| ${header.join(' | ')} |\n|${'---|'.repeat(header.length)}\n${rows.join('\n')}\n`;
    const intro = section
      .split('\n')
      .filter((line) => !line.startsWith('|'))
      .join('\n')
      .trimEnd();
    const heading = intro.trim() === '' ? `\n## ${name}` : intro;
    const replaced = `${heading}\n\n${table}`;
    text = section === '' ? `${text.trimEnd()}\n${replaced}` : text.replace(section, () => replaced);
  }
  return `${text.trimEnd()}\n`;
}
