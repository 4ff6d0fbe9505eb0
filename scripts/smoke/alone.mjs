// Each package alone in an empty folder: imported and required without any peer, then compiled with `skipLibCheck: false`.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES } from '../facts/packages.mjs';
import { install, manifestOf, ownVersion, peersOf, project, specifiers } from './pack.mjs';
import { compile } from './typescript.mjs';

/** Loading must leave the process as it was: no output, no listener, no timer, no handle, no global. */
const QUIET = `
const before = snapshot();
LOAD
const after = snapshot();
if (before !== after) { console.error('loading changed the process\\n' + before + '\\n' + after); process.exit(1); }
function snapshot() {
  const listeners = process.eventNames().map((name) => String(name) + ':' + process.listenerCount(name)).sort();
  return JSON.stringify({ listeners, handles: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || /Wrap$/.test(kind) && !/Pipe|TTY|FS/.test(kind)), globals: Object.keys(globalThis).sort(), emit: String(process.emit).length, umask: process.umask() });
}
`;

export function alone(work, tarballs) {
  let loaded = 0;
  for (const name of PACKAGES) {
    const own = Object.keys(manifestOf(name).dependencies ?? {}).filter((dependency) => tarballs.has(dependency));
    const folder = project(
      work,
      [`@holdfast/${name}`, ...own].map((each) => tarballs.get(each)),
    );
    const list = specifiers(name, { peers: false });
    run(folder, 'load.mjs', list.map((specifier) => `await import('${specifier}');`).join('\n'));
    run(folder, 'load.cjs', list.map((specifier) => `require('${specifier}');`).join('\n'));
    loaded += list.length;

    install(folder, [`@types/node@${ownVersion('@types/node')}`, ...peersOf(name)]);
    compile(folder, specifiers(name, { peers: true }), ['nodenext']);
  }
  return `${loaded} entry points imported and required; loading does nothing; ${PACKAGES.length} packages compiled`;
}

function run(folder, file, load) {
  writeFileSync(join(folder, file), QUIET.replace('LOAD', load));
  const said = execFileSync(process.execPath, [file], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (said !== '') throw new Error(`${file}: loading prints ${said}`);
}
