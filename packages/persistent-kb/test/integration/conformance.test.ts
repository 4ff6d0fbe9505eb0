import { needs, startMongod, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { fileStore } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { type ConformanceHarness, conformance, memoryStore } from '../../src/testing.js';

/** The number of each case in PROMISES.md, in the suite's order. */
const PROMISES = [
  ...['[P2]', '[P7]', '[P21]', '[P22]', '[P1]', '[P3]', '[P4]', '[P5]', '[P6]'],
  ...['[P23]', '[P24]', '[P25]', '[P8]', '[P9]', '[P10]', '[P11]', '[P12]'],
];

function cases(make: () => Promise<ConformanceHarness & { dispose?(): PromiseLike<void> }>, shared: boolean): void {
  conformance.forEach(({ name, needsShared, run }, at) => {
    if (needsShared && !shared) return;
    it(`${PROMISES[at]} ${name}`, async () => {
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
      dispose: async () => folder[Symbol.asyncDispose](),
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
