import { defineConfig } from 'tsup';
import { packageBuild } from '../../tsup.base.js';

export default defineConfig(
  packageBuild(
    ['index', 'express', 'fastify', 'health', 'hono', 'koa', 'node', 'testing'].map((name) => `src/${name}.ts`),
  ),
);
