// npm run chaos [-- <part>...]: long fault injection. Every {packages,internal,examples}/*/test/chaos/*.chaos.ts is a part.
// CHAOS_SECONDS is the time for each part (default 60), CHAOS_SEED repeats a run. Exit 1 on any violation.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const seconds = Number(process.env.CHAOS_SECONDS ?? 60);
const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('CHAOS_SECONDS must be a number above 0, CHAOS_SEED an integer');
  process.exit(2);
}

const wanted = process.argv.slice(2);
const parts = [];
for (const group of ['packages', 'internal', 'examples']) {
  for (const name of readdirSync(join(root, group))) {
    const folder = join(root, group, name, 'test/chaos');
    if (!existsSync(folder)) continue;
    const files = readdirSync(folder).filter((file) => file.endsWith('.chaos.ts'));
    for (const file of files) parts.push(await import(pathToFileURL(join(folder, file)).href));
  }
}
const chosen = wanted.length > 0 ? parts.filter(({ part }) => wanted.some((name) => part.startsWith(name))) : parts;
if (chosen.length === 0) {
  console.error(`no such part; there are: ${parts.map(({ part }) => part).join(', ')}`);
  process.exit(2);
}

let violations = 0;
for (const { part, run } of chosen) {
  console.log(`${part}: up to ${seconds} s, seed ${seed}`);
  const report = await run({ seconds, seed, log: (line) => console.log(`  ${line}`) });
  for (const violation of report.violations) console.log(`  VIOLATION ${violation}`);
  const facts = Object.entries(report.facts ?? {}).map(([name, value]) => `, ${name} ${value}`);
  console.log(`${part}: ${report.runs} runs, ${report.violations.length} violations, seed ${seed}${facts.join('')}`);
  violations += report.violations.length;
}
process.exit(violations > 0 ? 1 : 0);
