// Builds what `npm start` needs, and nothing else; silent and quick when it is there already.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const turbo = createRequire(import.meta.url).resolve('turbo/bin/turbo');
const { status } = spawnSync(
  process.execPath,
  [turbo, 'run', 'build', '--filter=@holdfast/orchestrator...', '--output-logs=errors-only', '--log-order=grouped'],
  { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' } },
);
process.exitCode = status ?? 1;
