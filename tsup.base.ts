import type { Options } from 'tsup';

/**
 * How every published package is built. `splitting` keeps one copy of each module in the CommonJS build, without it
 * `instanceof` breaks between entry points; `dts.resolve` inlines the types of the private `internal/*` packages.
 */
export function packageBuild(entry: string[], overrides: Options = {}): Options {
  return {
    entry,
    format: ['esm', 'cjs'],
    target: 'node20.19',
    platform: 'node',
    splitting: true,
    treeshake: true,
    sourcemap: true,
    clean: true,
    tsconfig: 'tsconfig.build.json',
    dts: { resolve: [/^@holdfast\/(journal|clock|backoff|observe)$/] },
    ...overrides,
  };
}
