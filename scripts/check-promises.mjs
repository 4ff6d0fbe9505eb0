// Every numbered promise of a PROMISES.md has a test whose title carries its number, and the reverse.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const faults = [];
let counted = 0;
for (const group of ['packages', 'internal', 'examples']) {
  for (const name of readdirSync(group)) {
    const folder = join(group, name);
    const page = join(folder, 'PROMISES.md');
    const tested = new Set(
      tests(join(folder, 'test')).flatMap((file) => numbers(readFileSync(file, 'utf8'), /\[P(\d+)\]/g)),
    );
    const promised = existsSync(page) ? numbers(readFileSync(page, 'utf8'), /^\|\s*P?(\d+)\s*\|/gm) : [];
    counted += promised.length;
    for (const n of promised)
      if (!tested.has(n)) faults.push(`${page}: promise ${n} has no test with [P${n}] in its title`);
    for (const n of tested)
      if (!promised.includes(n)) faults.push(`${folder}: a test carries [P${n}], which PROMISES.md does not list`);
    for (const n of promised)
      if (promised.indexOf(n) !== promised.lastIndexOf(n)) faults.push(`${page}: ${n} is listed twice`);
  }
}
for (const fault of new Set(faults)) console.error(fault);
console.log(`${counted} promises, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;

function numbers(text, pattern) {
  return [...text.matchAll(pattern)].map(([, n]) => Number(n));
}

function tests(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
}
