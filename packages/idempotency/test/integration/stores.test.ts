import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@holdfast/clock';
import { needs, startMongod, type TempDir, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileStore } from '../../src/file.js';
import { memoryStore, type Store, type StoreContext } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { type SimulatedClock, simulate, simulatedClock, storeCases } from '../../src/testing.js';

const context = (namespace: string, clock: StoreContext['clock']): StoreContext => ({
  namespace,
  clock,
  storeTimeoutMs: 5_000,
  emit: () => undefined,
});

/** Each case in namespaces of its own, on one store. */
function conformance(store: () => Store, clock: SimulatedClock): void {
  let made = 0;
  for (const { name, run } of storeCases)
    it(`${name} [P53]`, async () => {
      const n = ++made;
      await run(() => ({
        open: (namespace) => store().open(context(`${n} ${namespace}`, clock)),
        pass: (ms) => clock.tick(ms),
      }));
    });
}

/** Real time, for a store whose clock is a server's. */
const realClock: SimulatedClock = { ...systemClock, tick: (ms) => sleep(ms), jump: () => undefined };

describe('memoryStore', () => {
  const store = memoryStore();
  conformance(() => store, simulatedClock());
});

describe('fileStore', () => {
  let dir: TempDir;
  let store: Store;
  let held: Awaited<ReturnType<Store['open']>>;
  const clock = simulatedClock();
  beforeAll(async () => {
    dir = await tempDir();
    store = fileStore({ dir: dir.path });
    held = await store.open(context('held', clock));
  });
  afterAll(async () => {
    await held.close();
    await dir[Symbol.asyncDispose]();
  });
  conformance(() => store, clock);

  // This seed lost a result when a claim at the end of a lease overtook a settle that was on its way to the disk.
  it('keeps what the simulation holds it to [P54]', async () => {
    const report = await simulate({ store: () => store, clock, seed: 1_951_004_139, schedules: 60 });
    expect(report.violations).toEqual([]);
    expect(report.operations).toBeGreaterThanOrEqual(60 * 24);
    expect(report.settled).toBeGreaterThan(60);
  });
});

describe.skipIf(!needs('mongod'))('mongoStore', () => {
  let mongod: Awaited<ReturnType<typeof startMongod>>;
  let store: Store;
  let held: Awaited<ReturnType<Store['open']>>;
  beforeAll(async () => {
    mongod = await startMongod({ replSet: true });
    store = mongoStore({ uri: mongod.uriFor('conformance') });
    held = await store.open(context('held', realClock));
  });
  afterAll(async () => {
    await held?.close();
    await mongod?.[Symbol.asyncDispose]();
  });
  conformance(() => store, realClock);

  it('keeps what the simulation holds it to [P54]', async () => {
    const times = { leaseMs: 150, ttlMs: 3_000, windowMs: 1_500, slackMs: 5 };
    const report = await simulate({ store: () => store, clock: realClock, times, seed: 12, schedules: 5 });
    expect(report.violations).toEqual([]);
    expect(report.settled).toBeGreaterThan(3);
  });
});
