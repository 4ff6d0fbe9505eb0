// npm run check: everything that must hold besides the tests. Each step prints its name and time; the first failure stops it.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const packages = readdirSync('packages');
const STEPS = [
  ['build', 'turbo', 'run', 'build', '--output-logs=errors-only'],
  ['format and lint', 'biome', 'ci', '.'],
  ['types', 'turbo', 'run', 'typecheck', '--output-logs=errors-only'],
  ['promise rules', 'eslint', '.'],
  ['dead code', 'knip'],
  ['who may import whom', process.execPath, 'scripts/check-boundaries.mjs'],
  ['promises have tests', process.execPath, 'scripts/check-promises.mjs'],
  ['files and names', process.execPath, 'scripts/check-tree.mjs'],
  ...packages.map((name) => [`publint ${name}`, 'publint', '--strict', `packages/${name}`]),
  ...packages.map((name) => [
    `types as installed, ${name}`,
    'attw',
    '--pack',
    `packages/${name}`,
    '--profile',
    'node16',
    '--quiet',
  ]),
  [
    'packed and used: alone, on every Node, by every TypeScript, in Jest',
    process.execPath,
    '--import',
    'tsx',
    'scripts/smoke-pack.mjs',
  ],
  ['docs site, every link found', process.execPath, 'scripts/docs.mjs'],
];

for (const [name, command, ...args] of STEPS) {
  const start = performance.now();
  const local = command === process.execPath ? command : `node_modules/.bin/${command}`;
  const { status } = spawnSync(local, args, {
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  if (status !== 0) process.exit(1);
}
