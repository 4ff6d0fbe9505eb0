// The published packages and their entry points, as their package.json says.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const PACKAGES = ['idempotency', 'graceful-shutdown', 'persistent-kb', 'alert-delivery', 'file-lock'];

/** `[{ specifier: '@holdfast/file-lock/testing', entry: 'testing', source: '<path of its .ts>' }]` */
export function entryPoints(name) {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => {
      const entry = path === '.' ? 'index' : path.slice(2);
      const source = join(root, 'packages', name, 'src', `${entry}.ts`);
      if (!existsSync(source)) throw new Error(`@holdfast/${name} exports ${path}, but there is no ${source}`);
      return { specifier: `@holdfast/${name}${path.slice(1)}`, entry, source };
    });
}
