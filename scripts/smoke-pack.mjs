// Each package as a stranger gets it: packed, installed in an empty folder with only the packages it lists, imported, required,
// and compiled against with `skipLibCheck: false`. publint and attw stay green while a private package leaks into the types.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const work = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const tarballs = new Map();
  for (const name of readdirSync(join(root, 'packages'))) {
    const [packed] = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', work], join(root, 'packages', name)),
    );
    tarballs.set(`@holdfast/${name}`, join(work, packed.filename));
    const strays = packed.files
      .map(({ path }) => path)
      .filter((path) => !/^(dist\/|README\.md$|LICENSE$|CHANGELOG\.md$|package\.json$)/.test(path));
    if (strays.length > 0) throw new Error(`${name}: the tarball holds ${strays.join(', ')}`);
  }
  for (const name of tarballs.keys()) smoke(name, tarballs);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function smoke(name, tarballs) {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name.split('/')[1], 'package.json'), 'utf8'));
  const own = Object.keys(manifest.dependencies ?? {}).filter((dependency) => tarballs.has(dependency));
  const entries = Object.keys(manifest.exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => name + entry.slice(1));
  const folder = mkdtempSync(join(work, 'app-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const peers = Object.keys(manifest.peerDependencies ?? {}).map((peer) => `${peer}@${manifest.devDependencies[peer]}`);
  install(folder, [tarballs.get(name), ...own.map((dependency) => tarballs.get(dependency))]);

  const needsPeer = (entry) => entry.endsWith('/mongodb');
  const load = (list) => {
    run(folder, 'load.mjs', list.map((entry) => `await import('${entry}');`).join('\n'));
    run(folder, 'load.cjs', list.map((entry) => `require('${entry}');`).join('\n'));
  };
  load(entries.filter((entry) => !needsPeer(entry)));

  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/@types/node/package.json'), 'utf8'));
  install(folder, [`@types/node@${version}`, ...peers]);
  load(entries);
  const use = entries
    .map((entry, n) => `import * as m${n} from '${entry}';\nexport const k${n} = Object.keys(m${n});`)
    .join('\n');
  writeFileSync(join(folder, 'esm.mts'), use);
  writeFileSync(join(folder, 'cjs.cts'), use);
  for (const module of ['node16', 'nodenext']) {
    const flags = [
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
      '--module',
      module,
    ];
    execFileSync(process.execPath, [tsc, ...flags, 'esm.mts', 'cjs.cts'], { cwd: folder, stdio: 'inherit' });
  }
  console.log(`   ${name}: ${entries.length} entry points, imported, required, compiled`);
}

function run(folder, file, text) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), text);
  execFileSync(process.execPath, [file], { cwd: folder, stdio: 'inherit' });
}

function install(folder, list) {
  npm(['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...list], folder);
}
