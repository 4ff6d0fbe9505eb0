// The types of every entry point, with `skipLibCheck: false`, by the oldest TypeScript that we promise up to the newest.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PACKAGES, root } from '../facts/packages.mjs';
import { ownVersion, peersOf, project, specifiers } from './pack.mjs';

const run = promisify(execFile);
const VERSIONS = ['5.4.5', '5.9.3', '6.0.3', '7.0.2'];
const MODES = ['node16', 'nodenext', 'bundler'];
const FLAGS = [
  '--noEmit',
  '--strict',
  '--skipLibCheck',
  'false',
  '--target',
  'es2022',
  '--lib',
  'es2023,esnext.disposable',
  '--types',
  'node',
];

export async function typescript(work, tarballs) {
  const aliases = VERSIONS.map((version) => `ts-${version}@npm:typescript@${version}`);
  const peers = new Set(PACKAGES.flatMap(peersOf));
  const folder = project(work, [
    ...tarballs.values(),
    ...peers,
    `@types/node@${ownVersion('@types/node')}`,
    ...aliases,
  ]);
  const list = PACKAGES.flatMap((name) => specifiers(name, { peers: true }));
  write(folder, list);
  // Two at a time: a compiler takes a core.
  const jobs = VERSIONS.flatMap((version) => MODES.map((mode) => ({ version, mode })));
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      const { version, mode } = job;
      try {
        await run(process.execPath, [tscOf(folder, version), ...FLAGS, ...flagsOf(mode)], { cwd: folder });
      } catch (error) {
        throw new Error(`TypeScript ${version}, ${mode}:\n${error.stdout ?? error.message}`);
      }
    }
  };
  await Promise.all([worker(), worker()]);
  return `${list.length} entry points by TypeScript ${VERSIONS.join(', ')} in ${MODES.join(', ')}`;
}

/** Compiles imports of these specifiers, as ESM and as CommonJS, with the repository's own TypeScript. */
export function compile(folder, list, modes) {
  write(folder, list);
  for (const mode of modes) {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...FLAGS, ...flagsOf(mode)], {
      cwd: folder,
      stdio: 'inherit',
    });
  }
}

function write(folder, list) {
  const use = list
    .map((each, n) => `import * as m${n} from '${each}';\nexport const k${n} = Object.keys(m${n});`)
    .join('\n');
  writeFileSync(join(folder, 'esm.mts'), use);
  writeFileSync(join(folder, 'cjs.cts'), use);
}

/** A bundler reads ESM only: `.cts` has no meaning to it. */
function flagsOf(mode) {
  return mode === 'bundler'
    ? ['--module', 'esnext', '--moduleResolution', 'bundler', 'esm.mts']
    : ['--module', mode, 'esm.mts', 'cjs.cts'];
}

function tscOf(folder, version) {
  const home = join(folder, 'node_modules', `ts-${version}`);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const path = join(home, bin.tsc);
  if (!existsSync(path)) throw new Error(`typescript ${version} has no ${dirname(bin.tsc)}`);
  return path;
}
