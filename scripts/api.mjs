// `node scripts/api.mjs [--write]`: compares what the packages export with docs/api/*.txt, or writes these files anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiList } from './facts/api.mjs';
import { PACKAGES, root } from './facts/packages.mjs';

for (const name of PACKAGES) {
  const path = join(root, 'docs', 'api', `${name}.txt`);
  const list = apiList(name);
  if (process.argv.includes('--write')) writeFileSync(path, list);
  else if (readFileSync(path, 'utf8') !== list) {
    console.error(
      `the public surface of @holdfast/${name} is not what ${path} says: review it, then node scripts/api.mjs --write`,
    );
    process.exitCode = 1;
  }
}
