// Jest 30 as it comes: CommonJS, no transform of node_modules, no flags. It refuses a package that is ESM only.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES } from '../facts/packages.mjs';
import { peersOf, project, specifiers } from './pack.mjs';

/** unrs-resolver's newest lists platform packages that a registry may lag behind with. */
const PINNED = { overrides: { 'unrs-resolver': '1.11.1' } };

export function jest(work, tarballs) {
  const peers = new Set(PACKAGES.flatMap(peersOf));
  const folder = project(work, [...tarballs.values(), ...peers, 'jest@30'], { ...PINNED, type: 'commonjs' });
  const list = PACKAGES.flatMap((name) => specifiers(name, { peers: true }));
  const cases = list.map((each) => `test('${each}', () => { expect(require('${each}')).toBeDefined(); });`);
  writeFileSync(join(folder, 'load.test.js'), cases.join('\n'));
  execFileSync(process.execPath, [join(folder, 'node_modules/jest/bin/jest.js'), '--ci', '--runInBand', '--silent'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  return `${list.length} entry points required in Jest 30`;
}
