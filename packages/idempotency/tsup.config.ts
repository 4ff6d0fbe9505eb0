import { defineConfig } from 'tsup';
import { packageBuild } from '../../tsup.base.js';

export default defineConfig(
  packageBuild(['src/index.ts', 'src/file.ts', 'src/mongodb.ts', 'src/alertmanager.ts', 'src/express.ts']),
);
