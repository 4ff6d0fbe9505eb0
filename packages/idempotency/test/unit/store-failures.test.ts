import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { createIdempotency, type IdempotencyEvent, type IdempotencyOptions, memoryStore } from '../../src/index.js';
import { wrappedStore } from '../fixtures/wrapped-store.js';

/** A store of which the methods in `broken` throw and those in `silent` never answer. */
function flaky(options: IdempotencyOptions = {}) {
  const broken = new Set<string>();
  const silent = new Set<string>();
  const clock = manualClock();
  const events: IdempotencyEvent[] = [];
  const store = wrappedStore(memoryStore(), (method, call) => {
    if (broken.has(method)) throw new Error(`${method}: connection refused`);
    return silent.has(method) ? new Promise(() => undefined) : call();
  });
  const idempotency = createIdempotency({ store, clock, onEvent: (event) => events.push(event), ...options });
  return { broken, silent, clock, events, idempotency };
}

describe('a store that fails', () => {
  it('at claim: rejects IDEMPOTENCY_STORE_FAILED and runs nothing, or runs without protection, by option [P75]', async () => {
    const shut = flaky();
    shut.broken.add('claim');
    let runs = 0;
    await expect(shut.idempotency.run('k', () => ++runs)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_FAILED',
      operation: 'claim',
    });
    expect(runs).toBe(0);
    const open = flaky({ onStoreError: 'run' });
    open.broken.add('claim');
    expect(await open.idempotency.execute('k', (op) => [++runs, op.attempt])).toMatchObject({
      value: [1, 1],
      via: 'bypassed',
    });
    expect(open.events.map(({ type }) => type)).toEqual(expect.arrayContaining(['store.failed', 'run.bypassed']));
    expect(open.idempotency.stats()).toMatchObject({ bypassed: 1, storeErrors: 1 });
    open.broken.clear();
    expect(await open.idempotency.execute('k', () => 'protected')).toMatchObject({ via: 'ran' });
  });

  it('never hangs a caller: what gives no answer fails after storeTimeoutMs [P68]', async () => {
    for (const onStoreError of ['reject', 'run'] as const) {
      const { silent, clock, idempotency } = flaky({ storeTimeoutMs: 1_000, onStoreError });
      await idempotency.ready();
      silent.add('claim').add('release').add('ping');
      const end = idempotency
        .execute('k', () => 'ran')
        .then(
          ({ via }) => via,
          (error: { code: string }) => error.code,
        );
      const ready = idempotency.ready().catch((error: { code: string }) => error.code);
      await clock.advance(1_001);
      expect(await end).toBe(onStoreError === 'run' ? 'bypassed' : 'IDEMPOTENCY_STORE_FAILED');
      expect(await ready).toBe('IDEMPOTENCY_STORE_FAILED');
    }
    const clock = manualClock();
    const never = createIdempotency({
      clock,
      storeTimeoutMs: 1_000,
      store: { name: 'never', open: () => new Promise(() => undefined) },
    });
    const end = never.run('k', () => 1).catch((error: { code: string }) => error.code);
    await clock.advance(1_001);
    expect(await end).toBe('IDEMPOTENCY_STORE_FAILED');
  });

  it('at settle: the caller gets its value, the failure is told, the key stays held for its lease [P66]', async () => {
    const { broken, clock, events, idempotency } = flaky({ leaseMs: 1_000, waitMs: false });
    broken.add('settle');
    expect(await idempotency.run('k', () => 'value')).toBe('value');
    expect(events).toContainEqual(expect.objectContaining({ type: 'store.failed', operation: 'settle' }));
    broken.clear();
    await expect(idempotency.run('k', () => 'again')).rejects.toMatchObject({ code: 'IDEMPOTENCY_BUSY' });
    await clock.advance(1_001);
    expect(await idempotency.execute('k', (op) => op.attempt)).toMatchObject({ value: 2, attempt: 2 });
  });

  it('at a step: the step is told to be ambiguous, with its value; the caller decides [P65]', async () => {
    const { broken, idempotency } = flaky();
    const calls: string[] = [];
    const work = (goOn: boolean) =>
      idempotency.run('k', async (op) => {
        const sent = await op
          .step('slack', () => `post ${calls.push('slack')}`)
          .catch((error: { code: string; value: unknown; step: string }) => {
            if (!goOn) throw error;
            return [error.code, error.step, error.value];
          });
        return sent;
      });
    broken.add('step');
    await expect(work(false)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STEP_AMBIGUOUS',
      step: 'slack',
      value: 'post 1',
    });
    expect(await work(true)).toEqual(['IDEMPOTENCY_STEP_AMBIGUOUS', 'slack', 'post 2']);
    expect(calls).toHaveLength(2);
  });

  it('at renew for a while only: the lease survives as long as one renewal succeeds in time [P59]', async () => {
    const { broken, clock, idempotency } = flaky({ leaseMs: 3_000 });
    let end = (): void => undefined;
    const run = idempotency.run('k', () => new Promise<string>((resolve) => (end = () => resolve('kept'))));
    await clock.advance(500);
    broken.add('renew');
    await clock.advance(2_000);
    broken.clear();
    await clock.advance(5_000);
    end();
    expect(await run).toBe('kept');
  });

  it('a slow, asynchronous store still gives one run [P58]', async () => {
    const slow = wrappedStore(memoryStore(), async (_method, call) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return call();
    });
    const [a, b] = [createIdempotency({ store: slow }), createIdempotency({ store: slow })];
    let runs = 0;
    const all = Array.from({ length: 200 }, (_, n) => (n % 2 ? a : b).run('k', async () => `run ${++runs}`));
    expect(new Set(await Promise.all(all))).toEqual(new Set(['run 1']));
  });
});
