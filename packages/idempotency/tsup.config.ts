import { defineConfig } from 'tsup';
import { packageBuild } from '../../tsup.base.js';

const adapters = ['express', 'fastify', 'hono', 'koa', 'node', 'fetch'];
const entries = ['index', 'file', 'mongodb', 'alertmanager', 'testing', ...adapters];

export default defineConfig(packageBuild(entries.map((entry) => `src/${entry}.ts`)));
