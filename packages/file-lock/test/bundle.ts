import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Proc, RunOptions } from '@holdfast/testkit';
import { runProcess, tempDir } from '@holdfast/testkit';
import type { Options } from 'tsup';
import { build } from 'tsup';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../../..');

/** Fixtures compiled to plain JavaScript: a child then starts in 50 ms instead of a second, and many can race. */
export interface Bundle extends AsyncDisposable {
  /** Runs the fixture `name` in a process of its own. */
  run(name: string, args?: readonly string[], options?: RunOptions): Proc;
  /** The compiled file, for flags or programs in front of it. */
  file(name: string, format?: 'esm' | 'cjs'): string;
}

/** Compiles `test/fixtures/<name>.ts` for each name, and the package itself (`index`), each as ESM and CommonJS. */
export async function bundle(...names: string[]): Promise<Bundle> {
  const dir = await tempDir();
  symlinkSync(join(ROOT, 'node_modules'), join(dir.path, 'node_modules'));
  const base: Options = {
    config: false,
    silent: true,
    clean: false,
    dts: false,
    splitting: false,
    target: 'node20.19',
    platform: 'node',
    tsconfig: join(ROOT, 'tsconfig.json'),
    noExternal: [/^@holdfast\//],
    external: ['proper-lockfile'],
    outExtension: ({ format }) => ({ js: format === 'esm' ? '.mjs' : '.cjs' }),
    outDir: dir.path,
  };
  const fixtures = Object.fromEntries(names.map((name) => [name, join(HERE, 'fixtures', `${name}.ts`)]));
  await build({ ...base, format: ['esm', 'cjs'], entry: { index: join(HERE, '../src/index.ts') } });
  if (names.length > 0) await build({ ...base, format: ['esm'], entry: fixtures });
  const file = (name: string, format: 'esm' | 'cjs' = 'esm'): string =>
    join(dir.path, `${name}.${format === 'esm' ? 'mjs' : 'cjs'}`);
  return {
    file,
    run: (name, args = [], options = {}) => runProcess(process.execPath, [file(name), ...args], options),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}
