import { defineConfig, type Options } from 'tsup';
import { packageBuild } from '../../tsup.base.js';
import page from './tsup.page.js';

export default defineConfig([
  packageBuild(['src/main.ts'], { format: ['esm'], dts: false, clean: ['!page/**'] }),
  page as Options,
]);
