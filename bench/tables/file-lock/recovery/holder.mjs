// argv: who, file. Takes the lock and says so; then holds it until it is killed.

import { openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { acquire } from '@holdfast/file-lock';

const require = createRequire(import.meta.url);
const [, , who, file] = process.argv;
if (who.startsWith('holdfast')) await acquire(file);
else if (who.startsWith('proper-lockfile'))
  await require('proper-lockfile').lock(file, who.includes('stale 2 s') ? { stale: 2_000 } : {});
else if (who.startsWith('lockfile')) require('lockfile').lockSync(`${file}.lockfile`);
else require('fs-ext').flockSync(openSync(`${file}.flock`, 'a'), 'exnb');
process.stdout.write('held\n');
setInterval(() => {}, 1_000);
