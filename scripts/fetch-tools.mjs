// Fetches actionlint (Go) and kubernetes-validate (PyPI) into .cache, where tests find them; what is there already is left alone.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './facts/packages.mjs';
import { tool } from './facts/tools.mjs';

const cache = process.env.HOLDFAST_CACHE || join(root, '.cache');
const bin = join(cache, 'bin');
mkdirSync(bin, { recursive: true });

const venv = join(cache, 'python', 'kubernetes-validate');
get('actionlint', ['go', 'install', 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12']);
get(
  'kubernetes-validate',
  ['python3', '-m', 'venv', venv],
  [join(venv, 'bin', 'pip'), 'install', '--quiet', 'kubernetes-validate'],
);

function get(name, ...steps) {
  for (const [command, ...args] of tool(name) ? [] : steps) {
    const { status, error } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, GOBIN: bin } });
    if (error || status !== 0) {
      console.log(`${name}: not fetched (${error?.message ?? `${command} exited with ${status}`})`);
      process.exitCode = 1;
      return;
    }
  }
  console.log(`${name}: ${tool(name)}`);
}
