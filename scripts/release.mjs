// npm run release -- --dry-run   every step of a release but the upload, in a copy; needs no log-in and changes nothing here
// npm run release -- --version   turns .changeset into versions and changelogs, for a commit that people review
// npm run release                publishes what is versioned and not yet on the registry; meant for the release workflow
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PACKAGES, root } from './facts/packages.mjs';

const require = createRequire(import.meta.url);
const bin = {
  turbo: require.resolve('turbo/bin/turbo'),
  changeset: join(dirname(require.resolve('@changesets/cli/package.json')), 'bin.js'),
};
const manifestOf = (base, name) => JSON.parse(readFileSync(join(base, 'packages', name, 'package.json'), 'utf8'));
const pendingIn = (base) =>
  readdirSync(join(base, '.changeset')).filter((file) => file.endsWith('.md') && file !== 'README.md');

const args = process.argv.slice(2);
const kept = args.find((arg) => arg.startsWith('--keep='))?.slice('--keep='.length);
const unknown = args.filter(
  (arg) => !['--dry-run', '--version', '--skip-build'].includes(arg) && !arg.startsWith('--keep='),
);
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(' ')}; there are --dry-run, --version`);
  process.exit(2);
}
if (args.includes('--version')) version(root);
else if (args.includes('--dry-run')) dryRun();
else publish();

function version(base) {
  node(bin.changeset, ['version'], base);
  npm(['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'], base);
}

function publish() {
  const pending = pendingIn(root);
  if (pending.length > 0) {
    console.error(
      `${pending.length} changesets wait: run npm run release -- --version and commit what it changes first`,
    );
    process.exit(1);
  }
  node(bin.turbo, ['run', 'build', '--output-logs=errors-only'], root);
  node(bin.changeset, ['publish'], root, { NPM_CONFIG_PROVENANCE: 'true' });
}

function dryRun() {
  if (!args.includes('--skip-build')) node(bin.turbo, ['run', 'build', '--output-logs=errors-only'], root);
  const copy = mkdtempSync(join(tmpdir(), 'holdfast-release-'));
  const tarballs = kept ? resolve(kept) : mkdtempSync(join(tmpdir(), 'holdfast-tarballs-'));
  mkdirSync(tarballs, { recursive: true });
  try {
    step('copy of the repository', () => copyOf(copy));
    const before = Object.fromEntries(PACKAGES.map((name) => [name, manifestOf(copy, name).version]));
    const pending = pendingIn(copy);
    step(`changeset version (${pending.length} changesets)`, () => node(bin.changeset, ['version'], copy));
    const released = PACKAGES.filter((name) => manifestOf(copy, name).version !== before[name]);
    for (const name of released) checkVersioned(copy, name, before[name]);
    if (pendingIn(copy).length > 0) throw new Error(`changesets are left: ${pendingIn(copy).join(', ')}`);
    for (const name of released)
      step(`npm pack ${name} ${before[name]} -> ${manifestOf(copy, name).version}`, () => pack(copy, name, tarballs));
    step('each tarball installs and loads, alone', () => {
      for (const name of released) load(tarballs, copy, name);
    });
    console.log(
      `would publish: ${released.map((name) => `@holdfast/${name}@${manifestOf(copy, name).version}`).join(', ') || 'nothing'}`,
    );
    console.log('would tag the same; nothing was uploaded, nothing here was changed');
  } finally {
    rmSync(copy, { recursive: true, force: true });
    if (!kept) rmSync(tarballs, { recursive: true, force: true });
  }
}

/** What git tracks, as it is in the working tree, with the built packages; a repository of its own, because changesets asks git. */
function copyOf(copy) {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files) {
    if (existsSync(join(root, file))) cpSync(join(root, file), join(copy, file));
  }
  for (const name of PACKAGES)
    cpSync(join(root, 'packages', name, 'dist'), join(copy, 'packages', name, 'dist'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const git = (...rest) =>
    execFileSync('git', ['-c', 'user.name=release', '-c', 'user.email=release@localhost', ...rest], {
      cwd: copy,
      stdio: 'ignore',
    });
  git('init', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--message', 'before');
}

function checkVersioned(copy, name, before) {
  const manifest = manifestOf(copy, name);
  const log = join(copy, 'packages', name, 'CHANGELOG.md');
  if (!existsSync(log) || !readFileSync(log, 'utf8').includes(`## ${manifest.version}`))
    throw new Error(`${name}: CHANGELOG.md says nothing of ${manifest.version} (it was ${before})`);
  for (const [dependency, range] of Object.entries(manifest.dependencies ?? {})) {
    const sibling = PACKAGES.find((each) => `@holdfast/${each}` === dependency);
    if (sibling && !range.endsWith(manifestOf(copy, sibling).version))
      throw new Error(`${name} asks for ${dependency} ${range}, which becomes ${manifestOf(copy, sibling).version}`);
  }
}

function pack(copy, name, tarballs) {
  const [packed] = JSON.parse(
    npm(['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs], join(copy, 'packages', name)),
  );
  const manifest = manifestOf(copy, name);
  if (packed.version !== manifest.version)
    throw new Error(`${name}: packed ${packed.version}, expected ${manifest.version}`);
  const paths = packed.files.map(({ path }) => path);
  for (const needed of [
    'README.md',
    'LICENSE',
    'package.json',
    'dist/index.js',
    'dist/index.cjs',
    ...manifest.files.filter((file) => file !== 'dist'),
  ])
    if (!paths.includes(needed)) throw new Error(`${name}: the tarball has no ${needed}`);
  if (!paths.includes('CHANGELOG.md')) console.log(`note ${name}: "files" of its package.json leaves CHANGELOG.md out`);
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
    if (manifest.scripts?.[script]) throw new Error(`${name}: has a ${script} script`);
}

function load(tarballs, copy, name) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-load-'));
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    const own = Object.keys(manifestOf(copy, name).dependencies ?? {}).flatMap((dependency) =>
      PACKAGES.filter((each) => `@holdfast/${each}` === dependency),
    );
    const files = [name, ...own].map((each) =>
      join(tarballs, `holdfast-${each}-${manifestOf(copy, each).version}.tgz`),
    );
    npm(['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...files], folder);
    execFileSync(process.execPath, ['--input-type=module', '--eval', `await import('@holdfast/${name}')`], {
      cwd: folder,
      stdio: 'inherit',
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function step(name, work) {
  const start = performance.now();
  work();
  console.log(`ok   ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

function node(script, rest, cwd, env = {}) {
  const { status } = spawnSync(process.execPath, [script, ...rest], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (status !== 0) throw new Error(`${script} ${rest.join(' ')} exited with ${status}`);
}

function npm(rest, cwd) {
  return execFileSync('npm', rest, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
