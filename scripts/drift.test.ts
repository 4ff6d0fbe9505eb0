import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiList } from './facts/api.mjs';
import { at, defaultFaults, defaultOf, stated } from './facts/defaults.mjs';
import { errorCodes } from './facts/errors.mjs';
import { events } from './facts/events.mjs';
import { pagesWithFigures, withFigures } from './facts/figures.mjs';
import { optionTables } from './facts/options.mjs';
import { entryPoints, PACKAGES, root } from './facts/packages.mjs';
import { names, readme, rowsOf, tables } from './facts/readme.mjs';
import { errorFaults, eventFaults, syncedErrors, syncedEvents } from './facts/reference.mjs';

const page = (name: string) => readFileSync(join(root, 'docs/reference', `${name}.md`), 'utf8');

/** Every object of defaults of a package: its DEFAULTS first, then what its entry points export. */
async function defaultsOf(name: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const sources = [join(root, 'packages', name, 'src/options.ts'), ...entryPoints(name).map(({ source }) => source)];
  for (const source of sources) {
    const module: Record<string, unknown> = await import(source);
    for (const [key, value] of Object.entries(module)) {
      if (/(^|_)DEFAULTS$/.test(key)) found.push(value as Record<string, unknown>);
    }
  }
  return found;
}

/** `@defaultValue` of each option of a package, by name. */
function tagsOf(name: string): Map<string, unknown> {
  const rows = optionTables(name).flatMap((table) => table.rows);
  const said = rows.flatMap((row): [string, unknown][] => [[row.name, stated(row.defaultValue ?? '')]]);
  return new Map(said.filter(([, value]) => value !== undefined));
}

/** The rows of a README's options tables: which options, and the cell that states their defaults. */
function optionRows(text: string) {
  return tables(text)
    .filter(({ header }) => header[0] === 'Option' && header.includes('Default'))
    .flatMap(({ header, rows }) =>
      rows.map((row) => ({ options: names(row[0] ?? ''), cell: row[header.indexOf('Default')] ?? '' })),
    );
}

describe.each(PACKAGES)('%s', (name) => {
  it('states in its README the defaults that its code has', async () => {
    const defaults = await defaultsOf(name);
    const tags = tagsOf(name);
    const rows = optionRows(readme(name));
    expect(rows.length).toBeGreaterThan(3);
    expect(defaultFaults(rows, (option: string) => defaultOf(defaults, option) ?? tags.get(option))).toEqual([]);
  });

  it('states in @defaultValue the defaults that its code has', async () => {
    const [own = {}] = await defaultsOf(name);
    const faults = optionTables(name).flatMap((table) =>
      table.rows.flatMap((row) => {
        const said = row.defaultValue ? stated(row.defaultValue) : undefined;
        const real = at(own, table.name === 'Step' ? `step.${row.name}` : row.name);
        if (said === undefined || real === undefined || typeof real === 'object' || real === said) return [];
        return [`${table.name}.${row.name}: @defaultValue ${row.defaultValue}, DEFAULTS ${real}`];
      }),
    );
    expect(faults).toEqual([]);
  });

  it('names in its README each error code, and none that is gone', () => {
    const said = rowsOf(readme(name), 'Code')
      .flatMap((row) => names(row[0] ?? ''))
      .filter((code) => /^[A-Z_]+$/.test(code));
    expect([...new Set(said)].sort()).toEqual([...errorCodes(name)].sort());
  });

  it('names in its README no event that is gone, and each one where it has a table of them', () => {
    const said = new Set(
      rowsOf(readme(name), 'Event')
        .flatMap((row) => names(row[0] ?? ''))
        .filter((type) => type.includes('.')),
    );
    const real = events(name).map(({ type }) => type);
    expect([...said].filter((type) => !real.includes(type))).toEqual([]);
    if (said.size > 0) expect(real.filter((type) => !said.has(type))).toEqual([]);
  });

  it('exports what docs/api lists (node scripts/api.mjs --write, after a look at the difference)', () => {
    expect(apiList(name)).toBe(readFileSync(join(root, 'docs/api', `${name}.txt`), 'utf8'));
  });

  it('has a README of at most 150 lines', () => {
    expect(readme(name).split('\n').length).toBeLessThanOrEqual(151);
  });
});

describe('reference pages', () => {
  it('list every error code, and none that is gone (node scripts/reference.mjs --write)', () => {
    expect(errorFaults(page('errors'))).toEqual([]);
  });

  it('list every event with its fields, and none that is gone (node scripts/reference.mjs --write)', () => {
    expect(eventFaults(page('events'))).toEqual([]);
  });

  it('notice a code that is missing, one that is gone, and one without a text', () => {
    const errors = page('errors');
    const renamed = errorFaults(errors.replace('| `KB_CONFLICT` |', '| `KB_QUARREL` |'));
    expect(renamed).toContain('persistent-kb: KB_CONFLICT is not on the page');
    expect(renamed).toContain('persistent-kb: KB_QUARREL is on the page and not in the sources');
    const blank = errorFaults(errors.replace(/(\| `KB_CLOSED` \|.*\|).*\|$/m, '$1  |'));
    expect(blank).toContain('persistent-kb: KB_CLOSED has no text');
  });

  it('notice a field that is missing', () => {
    const faults = eventFaults(
      page('events').replace('| `lock.released` | `path`, `heldMs` |', '| `lock.released` | `path` |'),
    );
    expect(faults).toContain('file-lock: lock.released has the fields path, heldMs, the page says `path`');
  });

  it('are brought up to date without losing what people wrote', () => {
    const errors = page('errors');
    expect(syncedErrors(errors.replace(/^\| `KB_CLOSED` .*\n/m, ''))).toContain('| `KB_CLOSED` |');
    const events = syncedEvents(page('events'));
    expect(syncedEvents(events)).toBe(events);
    expect(events).toContain('the lock is free again');
  });
});

describe('stated', () => {
  it('reads numbers, sizes, durations, quoted words and truth, and nothing else', () => {
    expect(
      ['30,000', '`10_000`', '15 MiB', '30 s', '64 * 1024', "`'reject'`", 'true', "the system's"].map(stated),
    ).toEqual([30_000, 10_000, 15_728_640, 30_000, 65_536, 'reject', true, undefined]);
  });
});

describe('defaultFaults', () => {
  it('tells a wrong default from a right one, and one that the code does not have', () => {
    const known = (option: string) => ({ a: 1, b: 2 })[option];
    const rows = [
      { options: ['a', 'b'], cell: '1, 3' },
      { options: ['c'], cell: '4' },
      { options: ['a'], cell: 'off' },
    ];
    expect(defaultFaults(rows, known)).toEqual([
      'b: the page says 3, the code 2',
      'c: the page says 4, the code has no such default',
    ]);
  });
});

describe('names', () => {
  it('completes what begins with a dot or an underscore', () => {
    expect(names('`a.x`, `.y` (rarely)')).toEqual(['a.x', 'a.y']);
    expect(names('`KB_X`, `_Y_Z`')).toEqual(['KB_X', 'KB_Y_Z']);
  });
});

describe('figures', () => {
  it('on pages are those of bench/results (node scripts/figures.mjs --write)', () => {
    const faults = pagesWithFigures().flatMap((path: string) => withFigures(readFileSync(path, 'utf8')).faults);
    expect(faults).toEqual([]);
  });

  it('are replaced by what was measured, and a difference is told', () => {
    const report = { rows: [{ who: 'ours', cells: { rate: { median: 138_456, min: 1, max: 2, rounds: 3 } } }] };
    const { text, faults } = withFigures('<!--bench a/b | ours | rate-->1<!--/bench-->/s', () => report);
    expect(text).toBe('<!--bench a/b | ours | rate-->138,000<!--/bench-->/s');
    expect(faults).toEqual(['a/b | ours | rate: says 1, measured 138,000']);
    expect(withFigures(text, () => undefined).faults).toEqual(['a/b | ours | rate: bench/results has no such figure']);
  });
});

describe('decisions', () => {
  it('are all on the overview, numbered without a gap', () => {
    const folder = join(root, 'docs/decisions');
    const files = readdirSync(folder)
      .filter((file) => /^\d{4}-.*\.md$/.test(file))
      .sort();
    const overview = readFileSync(join(folder, 'index.md'), 'utf8');
    expect(files.filter((file) => !overview.includes(`./${file}`))).toEqual([]);
    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, n) => n + 1));
  });
});

describe('CONTRIBUTING', () => {
  const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');

  it('names only files that exist', () => {
    const rows = rowsOf(text, 'Folder').concat(rowsOf(text, 'Package'));
    const named = rows.flatMap((row) => {
      const folder = PACKAGES.find((name: string) => row[0]?.includes(name));
      const paths = row.flatMap(names).filter((name: string) => /^src\/.*\.ts$/.test(name));
      return folder ? paths.map((path: string) => join('packages', folder, path)) : [];
    });
    const whole = [...text.matchAll(/`((?:packages|internal|examples|scripts|docs)\/[\w./-]+)`/g)].map(
      ([, path]) => path ?? '',
    );
    expect(named.length).toBeGreaterThan(8);
    expect([...named, ...whole].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
