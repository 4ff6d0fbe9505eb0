import { needs, startMongod, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { fileStore } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { type ConformanceHarness, conformance, memoryStore } from '../../src/testing.js';

/** The promise that a conformance case shows, by its place in the suite. */
const PROMISE = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

function cases(make: () => Promise<ConformanceHarness & { dispose?(): Promise<void> }>, shared: boolean): void {
  conformance.forEach(({ name, needsShared, run }, at) => {
    it.skipIf(needsShared && !shared)(`[P${PROMISE[at]}] ${name}`, async () => {
      const harness = await make();
      try {
        await run(harness);
      } finally {
        await harness.dispose?.();
      }
    });
  });
}

describe('memoryStore', () => {
  cases(async () => {
    const store = memoryStore();
    return { store: () => store, shared: true };
  }, true);
});

describe('fileStore', () => {
  cases(async () => {
    const folder = await tempDir('kb');
    return {
      store: () => fileStore({ dir: folder.path }),
      shared: false,
      dispose: () => folder[Symbol.asyncDispose](),
    };
  }, false);
});

for (const replSet of [true, false]) {
  describe.skipIf(!needs('mongod'))(`mongoStore on a ${replSet ? 'replica set' : 'standalone server'}`, () => {
    let mongod: Awaited<ReturnType<typeof startMongod>>;
    let count = 0;
    beforeAll(async () => {
      mongod = await startMongod({ replSet });
    });
    afterAll(() => mongod?.[Symbol.asyncDispose]());
    cases(async () => {
      const uri = mongod.uriFor(`kb${++count}`);
      return { store: () => mongoStore({ uri }), shared: true };
    }, true);
  });
}
