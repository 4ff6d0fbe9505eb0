import { defineConfig } from 'tsup';

/** What the browser gets: one script with preact and htm in it, and one style sheet. */
export default defineConfig({
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
});
