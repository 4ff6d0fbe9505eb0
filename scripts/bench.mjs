// `npm run bench [-- <table>…] [--quick]`: builds the packages, installs the peers (bench/package.json, outside the workspaces) once, runs the tables.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const bench = fileURLToPath(new URL('../bench', import.meta.url));
const installed = join(bench, 'node_modules', '.package-lock.json');

step(process.execPath, [require.resolve('turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only']);
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(bench, 'package-lock.json')).mtimeMs) {
  console.log('installing the peers …');
  step('npm', ['ci', '--no-audit', '--no-fund'], bench);
}
// The packages are measured as built: bench/tsconfig.json maps nothing to the sources.
step(
  process.execPath,
  ['--expose-gc', '--import', 'tsx', join(bench, 'runner', 'run.ts'), ...process.argv.slice(2)],
  undefined,
  {
    TSX_TSCONFIG_PATH: join(bench, 'tsconfig.json'),
  },
);

function step(command, args, cwd, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (status !== 0) process.exit(status ?? 1);
}
