import { defineConfig } from 'tsup';
import { packageBuild } from '../../tsup.base.js';

/** What the browser gets: one script with preact and htm in it, and one style sheet. */
export const page = {
  entry: ['src/page/page.ts', 'src/page/page.css'],
  outDir: 'dist/page',
  format: ['esm'],
  target: 'es2022',
  platform: 'browser',
  tsconfig: 'src/page/tsconfig.json',
  noExternal: [/./],
  minify: true,
  clean: true,
  dts: false,
} as const;

export default defineConfig([
  packageBuild(['src/main.ts'], { format: ['esm'], dts: false, clean: ['!page/**'] }),
  { ...page, entry: [...page.entry], format: [...page.format], noExternal: [...page.noExternal] },
]);
