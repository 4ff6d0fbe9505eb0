// The README's test line: builds, runs every test, says in one line each what was skipped for want of a program, and ends
// with one plain line `N passed, N failed` summed over all packages. With CI=true a missing program is a failure.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@holdfast/testkit';
import { tool as checker, TOOLS } from './facts/tools.mjs';

const require = createRequire(import.meta.url);
const HOW_TO_GET = {
  mongod:
    'set MONGOD_BINARY, or run `node --import tsx internal/testkit/src/fetch-mongod.ts` (Python 3 with pip, x86-64 Linux)',
  alertmanager: 'Debian: `apt-get install prometheus-alertmanager`',
  promtool: 'Debian: `apt-get install prometheus`',
  chromium: 'Debian: `apt-get install chromium`',
};

const filters = process.argv.slice(2);
const missing = Object.keys(HOW_TO_GET).filter((tool) => !needs(tool));
const work = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const report = join(work, 'report.json');

const built = run([require.resolve('turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only']);
const vitest = join(require.resolve('vitest/package.json'), '..', 'vitest.mjs');
const tested =
  built === 0
    ? run([vitest, 'run', ...filters, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
    : built;

const { passed, failed } = counts();
for (const tool of missing) console.log(`skipped for want of ${tool}: ${HOW_TO_GET[tool]}`);
// These only look at files for other programs; their absence is said and fails nothing.
for (const name of Object.keys(TOOLS).filter((name) => !checker(name)))
  console.log(`skipped for want of ${name}: ${TOOLS[name]}`);
if (missing.length > 0 && process.env.CI === 'true') console.log('CI=true: a missing program is a failure');
console.log(`${passed} passed, ${failed} failed`);
rmSync(work, { recursive: true, force: true });
process.exitCode = tested !== 0 || failed > 0 || (missing.length > 0 && process.env.CI === 'true') ? 1 : 0;

function run(args) {
  const { status } = spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NODE_OPTIONS: '' },
  });
  return status ?? 1;
}

/** A file that could not even be collected has no failed test of its own: it counts as one. */
function counts() {
  let result;
  try {
    result = JSON.parse(readFileSync(report, 'utf8'));
  } catch (error) {
    console.error(`no test report: ${error.message}`);
    return { passed: 0, failed: 1 };
  }
  const broken = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return { passed: result.numPassedTests, failed: result.numFailedTests + broken.length };
}
