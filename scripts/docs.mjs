// `npm run docs`: the site into docs/.vitepress/dist. `-- --serve [port]` builds and serves it, `-- --dev [port]` serves it while it is written.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build, createServer, serve } from 'vitepress';
import { root } from './facts/packages.mjs';
import { brokenAnchors } from './site/anchors.mjs';
import { writeReference } from './site/api-reference.mjs';
import { writeBenchmarks } from './site/benchmarks.mjs';
import { writeChangelog } from './site/changelog.mjs';
import { writeTables } from './site/tables.mjs';

const args = process.argv.slice(2);
const port = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 4173);
// The sizes on the packages page are those of what is built.
const turbo = createRequire(import.meta.url).resolve('turbo/bin/turbo');
node(turbo, 'run', 'build', '--filter=./packages/*', '--output-logs=errors-only');
const pieces = [
  ['tables', () => writeTables()],
  ['benchmarks', () => writeBenchmarks()],
  ['changelog', () => writeChangelog()],
  ['API reference', () => writeReference()],
];
for (const [name, write] of pieces) {
  const start = performance.now();
  const what = await write();
  console.log(`${name}: ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

const docs = join(root, 'docs');
if (args.includes('--dev')) {
  const server = await createServer(docs, { port });
  await server.listen();
  server.printUrls();
} else {
  await build(docs);
  const broken = brokenAnchors();
  for (const { page, link } of broken) console.error(`${page} links to ${link}, which is nowhere`);
  if (broken.length > 0) process.exit(1);
  console.log('built docs/.vitepress/dist, every link found');
  if (args.includes('--serve')) await serve({ root: docs, port });
}

function node(script, ...rest) {
  const { status } = spawnSync(process.execPath, [script, ...rest], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (status !== 0) process.exit(status ?? 1);
}
