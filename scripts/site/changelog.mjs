// docs/generated/changelog.md: each package's CHANGELOG.md, and before it what waits for the next release in .changeset.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES, root } from '../facts/packages.mjs';

export function writeChangelog() {
  const pending = readdirSync(join(root, '.changeset'))
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) => readFileSync(join(root, '.changeset', file), 'utf8').match(/^---\n([\s\S]*?)\n---\n([\s\S]*)$/))
    .filter(Boolean)
    .map(
      ([, head, text]) =>
        `- ${head
          .replaceAll("'", '')
          .replaceAll('"', '')
          .replace(/^(\S+): (\w+)$/gm, '**$1** ($2)')
          .replaceAll('\n', ', ')}: ${text.trim()}`,
    );
  const released = PACKAGES.flatMap((name) => {
    const path = join(root, 'packages', name, 'CHANGELOG.md');
    return existsSync(path) ? [readFileSync(path, 'utf8').replace(/^(#+) /gm, '#$1 ')] : [];
  });
  const waiting = pending.length > 0 ? `## Waiting for the next release\n\n${pending.join('\n')}\n\n` : '';
  mkdirSync(join(root, 'docs/generated'), { recursive: true });
  writeFileSync(
    join(root, 'docs/generated/changelog.md'),
    waiting + (released.join('\n') || 'Nothing has been released yet.\n'),
  );
  return `${pending.length} waiting, ${released.length} packages released`;
}
