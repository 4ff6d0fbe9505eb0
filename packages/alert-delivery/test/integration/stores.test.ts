import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { type Channel, fileStore, isDeliveryError, openDelivery } from '../../src/index.js';
import { memoryStore, storeConformance } from '../../src/testing.js';

describe('memoryStore', () => {
  for (const { name, run } of storeConformance) it(`${name} [P1]`, () => run(memoryStore));
});

describe('fileStore', () => {
  for (const { name, run } of storeConformance) {
    it(`${name} [P1]`, async () => {
      await using dir = await tempDir();
      await run(() => fileStore({ dir: join(dir.path, 'd') }));
    });
  }

  it('delivers after a restart what was accepted before, marked where an attempt had begun [P2]', async () => {
    await using dir = await tempDir();
    const store = fileStore({ dir: dir.path });
    const hangs: Channel = { name: 'a', send: () => new Promise(() => undefined) };
    const first = await openDelivery({ chain: [{ channel: hangs, concurrency: 1 }], store });
    await first.accept({ id: 'one', title: 't1', severity: 'error' });
    await first.accept({ id: 'two', title: 't2', severity: 'error' });
    const pending = first.notify({ id: 'three', title: 't3', severity: 'error' });
    await first.close({ timeoutMs: 50 });
    expect(await pending).toEqual({ status: 'journaled', id: 'three' });
    const got: [string, boolean, boolean][] = [];
    const works: Channel = {
      name: 'a',
      async send(alert, context) {
        got.push([alert.id, context.maybeRepeat, context.recovered]);
      },
    };
    await using second = await openDelivery({ chain: [{ channel: works }], store });
    expect(second.recovered).toEqual({ pending: 3, neverTried: 2, maybeRepeat: 1, tornBytes: 0, quarantinedBytes: 0 });
    await second.flush();
    expect(got).toEqual([
      ['one', true, true],
      ['two', false, true],
      ['three', false, true],
    ]);
    expect((await second.accept({ id: 'one', title: 't1', severity: 'error' })).duplicate).toBe(true);
    expect(second.stats()).toMatchObject({ accepted: 3, delivered: 3, pending: 0, lawHolds: true });
    expect((await second.explain('one'))?.recovered).toBe(true);
  });

  it('remembers ids, outcomes and dead letters across restarts, with a readable copy of mode 0600 [P3]', async () => {
    await using dir = await tempDir();
    const store = fileStore({ dir: dir.path });
    const down: Channel = { name: 'a', send: async () => Promise.reject(new Error('no')) };
    const first = await openDelivery({
      chain: (alert) =>
        alert.title === 'none' ? [] : [{ channel: down, retries: 1, backoff: { minMs: 1, maxMs: 1, factor: 1 } }],
      store,
    });
    expect(await first.notify({ id: 'x', title: 'disk', severity: 'error', data: { a: 1 } })).toMatchObject({
      status: 'dead',
      reason: 'exhausted',
    });
    expect(await first.notify({ id: 'y', title: 'none', severity: 'info' })).toMatchObject({
      status: 'dead',
      reason: 'no-route',
      attempts: [],
    });
    await first.close();
    const copy = join(dir.path, 'failed-alerts.jsonl');
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(copy, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines[0]).toMatchObject({
      v: 1,
      alert: { id: 'x', data: { a: 1 } },
      reason: 'exhausted',
      attempts: [{ attempt: 1 }, { attempt: 2 }],
    });
    await using second = await openDelivery({ chain: [{ channel: down }], store });
    expect(second.stats()).toMatchObject({ accepted: 2, dead: 2, pending: 0, lawHolds: true });
    expect((await second.accept({ id: 'x', title: 'disk', severity: 'error' })).duplicate).toBe(true);
    const recent: string[] = [];
    for await (const entry of second.recent(10)) recent.push(`${entry.id}:${entry.status}`);
    expect(recent.sort()).toEqual(['x:dead', 'y:dead']);
    const ids: string[] = [];
    for await (const letter of second.dead()) ids.push(letter.id);
    expect(ids).toEqual(['x', 'y']);
  });

  it('refuses a folder that a live owner has, at once, naming it [P4]', async () => {
    await using dir = await tempDir();
    const options = {
      chain: [{ channel: { name: 'a', send: async () => undefined } }],
      store: fileStore({ dir: dir.path }),
    };
    await using _first = await openDelivery(options);
    const error: unknown = await openDelivery(options).catch((reason: unknown) => reason);
    expect(isDeliveryError(error, 'DELIVERY_STORE_FAILED') && [error.kind, error.pid, error.dir]).toEqual([
      'locked',
      process.pid,
      dir.path,
    ]);
  });
});
