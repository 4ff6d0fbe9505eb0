import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess } from '@holdfast/testkit';

/** Builds the client to where the orchestrator looks for it. */
export async function buildPage(): Promise<void> {
  const tsup = dirname(createRequire(import.meta.url).resolve('tsup/package.json'));
  await using build = runProcess(
    process.execPath,
    [join(tsup, 'dist/cli-default.js'), '--config', 'tsup.page.ts', '--no-clean'],
    { cwd: fileURLToPath(new URL('../../', import.meta.url)) },
  );
  const { code } = await build.exited;
  if (code !== 0) throw new Error(`the page can not be built:\n${build.stdout}${build.stderr}`);
}
