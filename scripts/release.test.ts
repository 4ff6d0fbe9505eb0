import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PACKAGES, root } from './facts/packages.mjs';

const built = PACKAGES.every((name: string) => existsSync(join(root, 'packages', name, 'dist/index.js')));
const script = join(root, 'scripts/release.mjs');

describe('npm run release', () => {
  it.skipIf(!built)(
    'goes through every step but the upload in a copy, and changes nothing here',
    () => {
      const status = () =>
        execFileSync(
          'git',
          ['status', '--porcelain', '.changeset', 'packages/*/package.json', 'packages/*/CHANGELOG.md'],
          { cwd: root, encoding: 'utf8' },
        );
      const tarballs = mkdtempSync(join(tmpdir(), 'holdfast-tarballs-'));
      try {
        const before = status();
        const said = execFileSync(process.execPath, [script, '--dry-run', '--skip-build', `--keep=${tarballs}`], {
          cwd: root,
          encoding: 'utf8',
        });
        expect(status()).toBe(before);
        expect(said).toContain('nothing was uploaded');
        const would = said.match(/^would publish: (.*)$/m)?.[1] ?? '';
        expect(readdirSync(tarballs).length).toBe(would === 'nothing' ? 0 : would.split(', ').length);
      } finally {
        rmSync(tarballs, { recursive: true, force: true });
      }
    },
    300_000,
  );

  it('refuses what it does not know', () => {
    const { status, stderr } = spawnSync(process.execPath, [script, '--upload'], { cwd: root, encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('unknown: --upload');
  });

  it('does not publish while changesets wait', () => {
    const waiting = readdirSync(join(root, '.changeset')).some((file) => file.endsWith('.md') && file !== 'README.md');
    if (!waiting) return;
    const { status, stderr } = spawnSync(process.execPath, [script], { cwd: root, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('npm run release -- --version');
  });
});
