import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));
const published = ['file-lock', 'idempotency', 'persistent-kb', 'alert-delivery', 'graceful-shutdown'];

/** Tests run on the sources: `@holdfast/x/sub` is packages/x/src/sub.ts. What is built is tested by `npm run check`. */
const alias = published.flatMap((name) => [
  { find: new RegExp(`^@holdfast/${name}$`), replacement: `${root}packages/${name}/src/index.ts` },
  { find: new RegExp(`^@holdfast/${name}/(.*)$`), replacement: `${root}packages/${name}/src/$1.ts` },
]);

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['{packages,internal,examples}/*/test/**/*.test.ts', 'scripts/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    restoreMocks: true,
  },
});
