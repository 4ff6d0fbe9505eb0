import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { PACKAGES, root } from './facts/packages.mjs';
import { readme } from './facts/readme.mjs';

const run = promisify(execFile);
const tsx = createRequire(import.meta.url).resolve('tsx');
const snippets = join(root, 'docs/snippets');
const generated = join(root, 'docs/generated/readme');
const work = mkdtempSync(join(tmpdir(), 'holdfast-snippets-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Runs a TypeScript file to its end in an empty folder; rejects with its stderr when it fails. */
async function runs(file: string, ...before: string[]): Promise<void> {
  const cwd = mkdtempSync(join(work, 'run-'));
  const preloads = before.flatMap((path) => ['--import', path]);
  await run(process.execPath, ['--import', tsx, ...preloads, file], {
    cwd,
    timeout: 100_000,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
  });
}

describe('docs/snippets', () => {
  const files = readdirSync(snippets).filter((file) => file.endsWith('.ts'));

  it('compile', async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '--noEmit', '-p', join(root, 'docs/tsconfig.json')], { cwd: root });
  }, 240_000);

  it.each(files)(
    '%s runs',
    async (file) => {
      await runs(join(snippets, file));
    },
    120_000,
  );
});

describe('README', () => {
  const preludes = readdirSync(join(snippets, 'readme'));

  it.each(PACKAGES)(
    'of %s: its TypeScript runs as it stands',
    async (name) => {
      const blocks = [...readme(name).matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code ?? '');
      expect(blocks.length).toBeGreaterThan(0);
      mkdirSync(generated, { recursive: true });
      for (const [n, code] of blocks.entries()) {
        const file = join(generated, `${name}-${n}.ts`);
        // The one change: a port that is free.
        writeFileSync(file, `${code.replace('port: 3000', 'port: 0')}\nexport {};\n`);
        await runs(file, ...(preludes.includes(`${name}.ts`) ? [join(snippets, 'readme', `${name}.ts`)] : []));
      }
    },
    240_000,
  );
});
