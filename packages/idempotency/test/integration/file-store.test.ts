import { runNode, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/file.js';
import { createIdempotency } from '../../src/index.js';
import { simulatedClock } from '../../src/testing.js';

describe('fileStore', () => {
  it('runs once for 200 concurrent callers on 20 keys [P11]', async () => {
    await using dir = await tempDir();
    await using idempotency = createIdempotency({ store: fileStore({ dir: dir.path }) });
    await idempotency.ready();
    let runs = 0;
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => idempotency.run(`k${n % 20}`, async () => `answer ${++runs}`)),
    );
    expect(runs).toBe(20);
  });

  it('replays a settled key after kill -9, and frees a claimed one at once with attempt 2, its id and its steps [P12]', async () => {
    await using dir = await tempDir();
    await using child = runNode(new URL('../fixtures/claim-and-hang.ts', import.meta.url), {
      args: [dir.path],
      ipc: true,
    });
    const { id } = await child.nextMessage<{ id: string }>();
    await child.kill();
    await using idempotency = createIdempotency({ store: fileStore({ dir: dir.path }), waitMs: false });
    const settled = await idempotency.execute('settled', (): unknown => expect.unreachable());
    expect(settled).toMatchObject({ value: { answer: 42 }, via: 'replayed' });
    const taken = await idempotency.execute('claimed', async (op) => ({
      id: op.id,
      attempt: op.attempt,
      slack: await op.step('slack', () => 'posted twice'),
    }));
    expect(taken).toMatchObject({ via: 'ran', attempt: 2, value: { id, attempt: 2, slack: 'posted' } });
    expect(idempotency.stats().takeovers).toBe(1);
  });

  it('refuses a second process, naming the directory and its owner [P13]', async () => {
    await using dir = await tempDir();
    await using child = runNode(new URL('../fixtures/claim-and-hang.ts', import.meta.url), {
      args: [dir.path],
      ipc: true,
    });
    await child.nextMessage();
    await using idempotency = createIdempotency({ store: fileStore({ dir: dir.path }) });
    await expect(idempotency.ready()).rejects.toMatchObject({
      code: 'IDEMPOTENCY_STORE_FAILED',
      dir: dir.path,
      pid: child.pid,
      message: expect.stringContaining(dir.path),
    });
  });

  it('is not overtaken: a settle on its way to the disk counts, although the lease has just ended [P86]', async () => {
    await using dir = await tempDir();
    const clock = simulatedClock();
    const context = { namespace: 'n', clock, storeTimeoutMs: 5_000, emit: () => undefined };
    const store = await fileStore({ dir: dir.path }).open(context);
    const deadline = { signal: new AbortController().signal };
    const request = (token: string) => ({
      token,
      id: token,
      state: '',
      lane: undefined,
      leaseMs: 1_000,
      keepMs: 60_000,
    });
    await store.claim('k', request('a'), deadline);
    await clock.tick(1_001);
    const settled = store.settle('k', 'a', 's result', 60_000, deadline);
    const claimed = store.claim('k', request('b'), deadline);
    expect(await settled).toBe(true);
    expect(await claimed).toMatchObject({ verdict: 'done', value: 's result' });
    await store.claim('twice', request('c'), deadline);
    const both = ['s1', 's2'].map(async (value) => store.settle('twice', 'c', value, 60_000, deadline));
    expect(await Promise.all(both)).toEqual([true, false]);
    await store.close();
  });
});
