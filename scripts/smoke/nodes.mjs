// Import and require of every entry point on every Node.js that `engines` allows. The programs come from npm into .cache/node.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchNode, NODE_MAJORS } from '@holdfast/testkit';
import { PACKAGES } from '../facts/packages.mjs';
import { peersOf, project, specifiers } from './pack.mjs';

export function nodes(work, tarballs) {
  const peers = new Set(PACKAGES.flatMap(peersOf));
  const folder = project(work, [...tarballs.values(), ...peers]);
  const list = PACKAGES.flatMap((name) => specifiers(name, { peers: true }));
  writeFileSync(join(folder, 'load.mjs'), list.map((each) => `await import('${each}');`).join('\n'));
  writeFileSync(join(folder, 'load.cjs'), list.map((each) => `require('${each}');`).join('\n'));
  const versions = [];
  for (const major of NODE_MAJORS) {
    const program = fetchNode(major);
    for (const file of ['load.mjs', 'load.cjs']) {
      const said = execFileSync(program, ['--throw-deprecation', file], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      if (said !== '') throw new Error(`node ${major}: loading prints ${said}`);
    }
    versions.push(execFileSync(program, ['--version'], { encoding: 'utf8' }).trim());
  }
  return `${list.length} entry points on ${versions.join(', ')}`;
}
