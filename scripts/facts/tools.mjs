// Programs that check files for other programs, where a machine has them: along PATH, or fetched into .cache by scripts/fetch-tools.mjs.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './packages.mjs';

export const TOOLS = {
  actionlint: '`node scripts/fetch-tools.mjs` (needs go)',
  'kubernetes-validate': '`node scripts/fetch-tools.mjs` (needs Python 3)',
  'docker-compose': 'Debian: `apt-get install docker-compose`',
};

/** The path of a tool, or undefined. */
export function tool(name) {
  const cache = process.env.HOLDFAST_CACHE || join(root, '.cache');
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
    '/usr/bin',
    join(cache, 'bin'),
    join(cache, 'python', name, 'bin'),
  ];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
