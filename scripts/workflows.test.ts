import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './facts/packages.mjs';
import { tool } from './facts/tools.mjs';

const folder = join(root, '.github/workflows');
const files = readdirSync(folder).filter((file) => file.endsWith('.yml'));
const text = (file: string) => readFileSync(join(folder, file), 'utf8');

describe('.github/workflows', () => {
  it.each(files)('%s pins every action by the full commit, with the version beside it', (file) => {
    const uses = [...text(file).matchAll(/^\s*-?\s*uses:\s*(.+)$/gm)].map(([, what]) => what ?? '');
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((what) => !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(what))).toEqual([]);
  });

  it.each(files)('%s asks for no more than to read, but where a job says so', (file) => {
    expect(text(file)).toMatch(/^permissions:\n {2}contents: read$/m);
  });

  it('test every Node.js that engines allows, and three systems', () => {
    expect(text('ci.yml')).toContain('node: [20, 22, 24, 26]');
    for (const system of ['ubuntu', 'macos', 'windows'])
      expect(text('ci.yml')).toMatch(new RegExp(`os: \\[.*${system}-`));
  });

  it('publish with provenance and without a token', () => {
    expect(text('release.yml')).toContain('id-token: write');
    expect(text('release.yml')).toContain('NPM_CONFIG_PROVENANCE');
    expect(text('release.yml')).not.toMatch(/NPM_TOKEN|NODE_AUTH_TOKEN/);
  });

  it.skipIf(!tool('actionlint'))('pass actionlint', () => {
    execFileSync(tool('actionlint') ?? '', ['-shellcheck=', '-pyflakes=', ...files.map((file) => join(folder, file))], {
      cwd: root,
    });
  });
});
