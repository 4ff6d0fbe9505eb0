import { describe, expect, it } from 'vitest';
import { createIdempotency, type IdempotencyEvent, isIdempotencyError } from '../../src/index.js';

describe('run', () => {
  it('runs once for 1,000 concurrent callers and gives all of them the same answer [P1]', async () => {
    const idempotency = createIdempotency();
    let runs = 0;
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () =>
        idempotency.run('k', async () => {
          runs++;
          await new Promise((resolve) => setTimeout(resolve, 20));
          return { runs };
        }),
      ),
    );
    expect(runs).toBe(1);
    expect(answers.every((answer) => answer.runs === 1)).toBe(true);
    expect(idempotency.stats()).toMatchObject({ runs: 1, joins: 999, hits: 0 });
    await idempotency.close();
  });

  it('replays a settled answer, also undefined, null, empty text, 0 and false [P2]', async () => {
    const idempotency = createIdempotency();
    for (const [key, value] of Object.entries({
      u: undefined,
      n: null,
      e: '',
      nul: '\u0000',
      tagged: '\u0000j1',
      half: '\ud800',
      z: 0,
      f: false,
      m: -0,
      o: { a: [undefined] },
    })) {
      await idempotency.run(key, () => value);
      const again = await idempotency.execute(key, (): unknown => expect.unreachable());
      expect(again).toEqual({ value, via: 'replayed', attempt: 1, ageMs: expect.any(Number) });
      expect(Object.is(again.value, value) || typeof value === 'object').toBe(true);
    }
    await idempotency.close();
  });

  it('does not replay a failure, and rejects everybody who joined it [P3]', async () => {
    const events: IdempotencyEvent[] = [];
    const idempotency = createIdempotency({ onEvent: (event) => events.push(event) });
    const ids: string[] = [];
    const failing = Array.from({ length: 5 }, () =>
      idempotency.run('k', async (op) => {
        ids.push(op.id);
        await Promise.resolve();
        throw new Error('no');
      }),
    );
    const results = await Promise.allSettled(failing);
    expect(results.map((result) => result.status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
    const outcome = await idempotency.execute('k', (op) => {
      ids.push(op.id);
      return op.attempt;
    });
    expect(outcome).toMatchObject({ value: 2, via: 'ran', attempt: 2 });
    expect(ids).toEqual([ids[0], ids[0]]);
    expect(events.map((event) => event.type)).toContain('run.released');
    await idempotency.close();
  });

  it('repeats only the steps that were not finished [P4]', async () => {
    const idempotency = createIdempotency();
    const calls: string[] = [];
    const work = (fail: boolean) =>
      idempotency.run('k', async (op) => {
        await op.step('slack', () => calls.push('slack'));
        await op.step('email', () => {
          calls.push('email');
          if (fail) throw new Error('down');
        });
        return 'ok';
      });
    await expect(work(true)).rejects.toThrow('down');
    await expect(work(false)).resolves.toBe('ok');
    expect(calls).toEqual(['slack', 'email', 'email']);
    await idempotency.close();
  });

  it('refuses what could not be replayed, and frees the key [P5]', async () => {
    const idempotency = createIdempotency();
    await expect(idempotency.run('k', () => ({ when: new Date(0) }))).rejects.toMatchObject({
      code: 'IDEMPOTENCY_INVALID_VALUE',
      path: '$.when',
    });
    await expect(idempotency.run('k', () => 'fine')).resolves.toBe('fine');
    await idempotency.close();
  });

  it('isolates replayed values from each other [P6]', async () => {
    const idempotency = createIdempotency();
    const first = await idempotency.run('k', () => ({ list: [1] }));
    first.list.push(2);
    const second = await idempotency.run('k', () => ({ list: [0] }));
    second.list.push(3);
    await expect(idempotency.run('k', () => ({ list: [0] }))).resolves.toEqual({ list: [1] });
    await idempotency.close();
  });

  it('is busy at once with waitMs false [P7]', async () => {
    const idempotency = createIdempotency({ waitMs: false });
    await idempotency.ready();
    let end = (): void => undefined;
    let first: Promise<void> | undefined;
    await new Promise<void>((started) => {
      first = idempotency.run('k', () => {
        started();
        return new Promise<void>((resolve) => (end = resolve));
      });
    });
    const error = await idempotency.run('k', () => undefined).catch((thrown: unknown) => thrown);
    expect(isIdempotencyError(error, 'IDEMPOTENCY_BUSY') && error.retryAfterMs! > 0).toBe(true);
    end();
    await first;
    await idempotency.close();
  });

  it('rejects a key used with another fingerprint, in flight and settled [P8]', async () => {
    const idempotency = createIdempotency();
    const first = idempotency.run('k', async () => 1, { fingerprint: 'a' });
    await expect(idempotency.run('k', () => 2, { fingerprint: 'b' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    await first;
    await expect(idempotency.run('k', () => 2, { fingerprint: 'b' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    await expect(idempotency.run('k', () => 2, { fingerprint: 'a' })).resolves.toBe(1);
    await idempotency.close();
  });

  it('rejects keys that are no keys and stores nothing [P9]', async () => {
    const idempotency = createIdempotency();
    for (const key of ['', [], [{ $ne: null }], { $ne: null }, null, 7, '\ud800', 'x'.repeat(9000), [Number.NaN]])
      await expect(idempotency.run(key as never, () => 1)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_KEY' });
    expect(idempotency.stats().entries).toBe(0);
    const parts: (string | number)[][] = [['a:b', 'c'], ['a', 'b:c'], [1], ['1'], ['a', 'b'], ['ab']];
    for (const key of parts) await idempotency.run(key, () => 1);
    expect(idempotency.stats().runs).toBe(parts.length);
    await idempotency.close();
  });

  it('waits at close for the runs in flight and refuses new ones [P10]', async () => {
    const idempotency = createIdempotency();
    let end = (): void => undefined;
    const first = idempotency.run('k', () => new Promise<string>((resolve) => (end = () => resolve('done'))));
    await Promise.resolve();
    const closing = idempotency.close();
    await expect(idempotency.run('j', () => 1)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CLOSED' });
    await new Promise((resolve) => setImmediate(resolve));
    end();
    await expect(first).resolves.toBe('done');
    await closing;
  });
});
