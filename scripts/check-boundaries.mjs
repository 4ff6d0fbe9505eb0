// Dependencies between packages run one way (docs/decisions/0001-dependency-directions.md).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PUBLISHED = ['file-lock', 'graceful-shutdown', 'idempotency', 'alert-delivery', 'persistent-kb'];
const INTERNAL = ['journal', 'clock', 'backoff', 'observe'];
const MAY_IMPORT = {
  'packages/file-lock': ['clock', 'backoff', 'observe'],
  'packages/graceful-shutdown': ['clock', 'backoff', 'observe'],
  'packages/idempotency': ['file-lock', ...INTERNAL],
  'packages/alert-delivery': ['file-lock', ...INTERNAL],
  'packages/persistent-kb': ['file-lock', ...INTERNAL],
  'internal/journal': ['file-lock', 'clock', 'backoff', 'observe'],
  'internal/clock': [],
  'internal/observe': [],
  'internal/backoff': ['clock'],
  'internal/testkit': [],
  'examples/orchestrator': PUBLISHED,
  // The drill runs processes and fake providers: that is what the testkit is for.
  'examples/nine-failures': [...PUBLISHED, 'testkit'],
};

const faults = [];
for (const group of ['packages', 'internal', 'examples']) {
  for (const name of readdirSync(group))
    if (!MAY_IMPORT[`${group}/${name}`]) faults.push(`${group}/${name} is in no row of scripts/check-boundaries.mjs`);
}
for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
  for (const file of ['src', 'before', 'after'].flatMap((part) => sources(join(folder, part)))) {
    const text = readFileSync(file, 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import|import\()\s*['"]@holdfast\/([a-z-]+)[^'"]*['"]/g)) {
      if (!allowed.includes(name) && !folder.endsWith(`/${name}`)) faults.push(`${file} imports @holdfast/${name}`);
    }
    for (const [, path] of text.matchAll(/from\s+['"]((?:\.\.\/)+[^'"]+)['"]/g)) {
      if (!join(file, '..', path).startsWith(`${folder}/`)) faults.push(`${file} reaches outside its package: ${path}`);
    }
  }
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
