// Size and dependencies of each package as a stranger installs it, for the packages page.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES, root } from '../facts/packages.mjs';

/** A Markdown table. Sizes are those of `npm pack`; packages that are not built have none. */
export function footprint() {
  const rows = PACKAGES.map((name) => {
    const folder = join(root, 'packages', name);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const peers = Object.keys(manifest.peerDependencies ?? {});
    const installed = dependenciesOf(manifest);
    return [
      `[\`@holdfast/${name}\`](/packages/${name})`,
      ...sizes(folder),
      `${installed.size}: ${
        [...installed]
          .sort()
          .map((each) => `\`${each}\``)
          .join(', ') || 'none'
      }`.replace(/^0: none$/, 'none'),
      peers.map((peer) => `\`${peer}\``).join(', ') || 'none',
    ];
  });
  const lines = rows.map((row) => `| ${row.join(' | ')} |`);
  return `| Package | Tarball | Unpacked | Packages it installs | Optional peers |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}

/** All packages that come with it, the whole tree, without itself. */
function dependenciesOf(manifest, found = new Set()) {
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    if (found.has(dependency)) continue;
    found.add(dependency);
    const path = join(root, 'node_modules', dependency, 'package.json');
    dependenciesOf(JSON.parse(readFileSync(path, 'utf8')), found);
  }
  return found;
}

function sizes(folder) {
  if (!existsSync(join(folder, 'dist/index.js'))) return ['not built', 'not built'];
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  return [packed.size, packed.unpackedSize].map((bytes) => `${Math.round(bytes / 1000)} kB`);
}
