// `npm run drill [-- --only 3]`: each failure with the code that people write, then with Holdfast. Exit code 0 only if every
// "before" fails and every "after" holds.
import { type Facts, holds } from './failure.js';
import { FAILURES, programOf } from './failures/index.js';
import { row, TABLE_HEAD } from './table.js';

const only = process.argv.includes('--only') ? Number(process.argv[process.argv.indexOf('--only') + 1]) : undefined;
const chosen = FAILURES.filter(({ number }) => only === undefined || number === only);
if (chosen.length === 0) {
  console.error('--only takes the number of a failure, 1 to 9');
  process.exit(1);
}

const started = performance.now();
const table: string[] = [];
const surprises: string[] = [];
for (const failure of chosen) {
  console.log(`\n${failure.number}. ${failure.title}`);
  const sides = [
    ...failure.before.map((program) => ({ side: 'before' as const, patienceMs: undefined, ...program })),
    { side: 'after' as const, patienceMs: undefined, ...failure.after },
  ];
  for (const { side, program, from, patienceMs } of sides) {
    const began = performance.now();
    process.stdout.write(`   ${side.padEnd(6)} ${program} (${from}) … `);
    let facts: Facts;
    try {
      facts = await failure.run(programOf(side, program), { short: false, patienceMs });
    } catch (error) {
      console.log('could not be run');
      console.error(error);
      surprises.push(`${failure.number} ${program}: could not be run`);
      continue;
    }
    const held = holds(facts);
    console.log(`${held ? 'holds' : 'fails'} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    table.push(row(failure.number, side, program, facts));
    if (side === 'before' && held) surprises.push(`${failure.number} ${program}: did not fail, so it shows nothing`);
    if (side === 'after' && !held) surprises.push(`${failure.number} ${program}: does not hold`);
  }
}

console.log(`\n${TABLE_HEAD}\n${table.join('\n')}`);
console.log(`\n${chosen.length} failures in ${Math.round((performance.now() - started) / 1000)} s`);
for (const surprise of surprises) console.error(surprise);
console.log(surprises.length === 0 ? 'every "before" fails, every "after" holds' : `${surprises.length} surprises`);
process.exit(surprises.length === 0 ? 0 : 1);
