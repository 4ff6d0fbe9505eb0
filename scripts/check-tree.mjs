// The tree reads well: no file over 300 lines without a first line that says why, nothing named utils, common, shared or helpers.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const LONGEST = 300;
const VAGUE = /^(utils?|common|shared|helpers?|misc|stuff)(\.|$)/;
const tracked = execFileSync(
  'git',
  ['ls-files', '-z', 'packages', 'internal', 'examples', 'scripts', 'bench', 'docs'],
  { encoding: 'utf8' },
);
const files = tracked.split('\0').filter((file) => file && existsSync(file));

const faults = [];
for (const file of files) {
  const vague = file.split('/').find((part) => VAGUE.test(part));
  if (vague) faults.push(`${file}: ${vague} says nothing about what is in it`);
  if (!/\.(ts|mts|cts|js|mjs|cjs|vue)$/.test(basename(file))) continue;
  const lines = readFileSync(file, 'utf8').split('\n');
  // A comment within the first lines that names the reason, such as: "Over 300 lines: the scenarios of one table stay together."
  const reason = lines
    .slice(0, 15)
    .some((line) =>
      /300 lines|(one|a single) file because|together because|long(er)? (than|because)|(kept|stays?|belongs?) together/i.test(
        line,
      ),
    );
  if (lines.length - 1 > LONGEST && !reason)
    faults.push(`${file}: ${lines.length - 1} lines, and no line at its top says why ("Over 300 lines: …")`);
}
for (const fault of faults) console.error(fault);
console.log(`${files.length} files, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
