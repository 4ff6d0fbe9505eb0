// `node scripts/reference.mjs [--write]`: compares docs/reference/{errors,events}.md with the sources, or brings their rows up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './facts/packages.mjs';
import { errorFaults, eventFaults, syncedErrors, syncedEvents } from './facts/reference.mjs';

const pages = [
  ['errors', errorFaults, syncedErrors],
  ['events', eventFaults, syncedEvents],
];
for (const [name, faultsOf, synced] of pages) {
  const path = join(root, 'docs/reference', `${name}.md`);
  if (process.argv.includes('--write')) writeFileSync(path, synced(readFileSync(path, 'utf8')));
  for (const fault of faultsOf(readFileSync(path, 'utf8'))) {
    console.error(`${name}: ${fault}`);
    process.exitCode = 1;
  }
}
