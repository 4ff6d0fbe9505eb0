// Packs every package and looks at what the tarball holds; and the few things that every part does.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entryPoints, PACKAGES, root } from '../facts/packages.mjs';

const BELONGS = /^(dist\/|README\.md$|LICENSE$|CHANGELOG\.md$|package\.json$)/;
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

/** Packs all into `work`; `{ '@holdfast/x': path of its tarball }`. */
export function pack(work) {
  const tarballs = new Map();
  for (const name of PACKAGES) {
    const [packed] = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', work], join(root, 'packages', name)),
    );
    const strays = packed.files.map(({ path }) => path).filter((path) => !BELONGS.test(path));
    if (strays.length > 0) throw new Error(`${name}: the tarball holds ${strays.join(', ')}`);
    const scripts = INSTALL_SCRIPTS.filter((script) => manifestOf(name).scripts?.[script]);
    if (scripts.length > 0) throw new Error(`${name}: runs ${scripts.join(', ')} where it is installed`);
    tarballs.set(`@holdfast/${name}`, join(work, packed.filename));
  }
  return tarballs;
}

export function manifestOf(name) {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
}

/** The version of a package that this repository uses itself. */
export function ownVersion(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** The optional peers of a package, as `name@version` of what the repository tests with. */
export function peersOf(name) {
  const { peerDependencies = {}, devDependencies = {} } = manifestOf(name);
  return Object.keys(peerDependencies).map((peer) => `${peer}@${devDependencies[peer] ?? peerDependencies[peer]}`);
}

/** Import specifiers of a package; those that need a peer only with `peers`. */
export function specifiers(name, { peers }) {
  return entryPoints(name)
    .map(({ specifier }) => specifier)
    .filter((specifier) => peers || !specifier.endsWith('/mongodb'));
}

/** An empty project with these things installed, `extra` going into its package.json. */
export function project(work, list, extra = {}) {
  const folder = mkdtempSync(join(work, 'app-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', ...extra }));
  install(folder, list);
  return folder;
}

export function install(folder, list) {
  npm(['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...list], folder);
}

function npm(args, cwd) {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
