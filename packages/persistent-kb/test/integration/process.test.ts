import { rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, needs, runNode, startMongod, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore, type KbEvent, type KbStore, openKb } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
const SLACK_MS = 2_000;

interface Told {
  kind: string;
  text?: string;
  ms: number;
}

/** Opens every place in a process of its own, which must then end by itself. */
async function lifeOf(startTimeoutMs: number, places: string[]): Promise<Told[]> {
  await using proc = runNode(fixture('life'), { args: [String(startTimeoutMs), ...places] });
  await Promise.race([
    proc.exited,
    proc.waitFor('never', 40_000).catch((error: Error) => {
      if (!error.message.includes('process ended')) throw error;
    }),
  ]);
  expect(await proc.exited).toEqual({ code: 0, signal: null });
  return proc.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

describe('openKb in a process', () => {
  it('[P32] rejects within startTimeoutMs with a kind for each cause and without the password, and leaves no handle', async () => {
    await using folder = await tempDir('kb-life');
    const silent = createServer(() => {});
    const http = createServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    const [silentPort, httpPort, closed] = [await listening(silent), await listening(http), await freePort()];
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    const cases: [string, string][] = [
      [`mongodb://u:s3cret@127.0.0.1:${closed}/kb`, 'unreachable'],
      ['mongodb://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb+srv://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb://u:s3cret@127.0.0.1/kb?nonsense=1', 'bad-uri'],
      [`mongodb://u:s3cret@127.0.0.1:${silentPort}/kb`, 'silent'],
      [`mongodb://u:s3cret@127.0.0.1:${httpPort}/kb`, 'silent'],
      [file, 'unusable'],
    ];
    const told = await lifeOf(
      1_000,
      cases.map(([place]) => place),
    );
    silent.close();
    http.close();
    expect(told.map(({ kind }) => kind)).toEqual(cases.map(([, kind]) => kind));
    for (const { text, ms } of told) {
      expect(text).not.toContain('s3cret');
      expect(ms).toBeLessThan(1_000 + SLACK_MS);
    }
  });

  it.skipIf(!needs('mongod'))(
    '[P32] tells a missing primary, another replica set, TLS and access from each other',
    async () => {
      const [initiated, waiting, secured] = await Promise.all([
        startMongod({ replSet: true }),
        startMongod({ args: ['--replSet', 'rs0'] }),
        startMongod({ auth: true }),
      ]);
      try {
        const cases: [string, string][] = [
          [`mongodb://127.0.0.1:${initiated.port}/kb?replicaSet=other`, 'wrong-replica-set'],
          [`mongodb://127.0.0.1:${initiated.port}/kb?tls=true`, 'tls'],
          [`mongodb://127.0.0.1:${waiting.port}/kb?replicaSet=rs0`, 'no-primary'],
          [`mongodb://127.0.0.1:${waiting.port}/kb?directConnection=true`, 'no-primary'],
          [secured.uriFor('kb').replace('pass%2Fword', 's3cret'), 'auth'],
          [secured.uriFor('kb').replace(/root:[^@]*@/, ''), 'forbidden'],
          [initiated.uriFor('kb'), 'opened'],
        ];
        const told = await lifeOf(
          1_500,
          cases.map(([uri]) => uri),
        );
        expect(told.map(({ kind }) => kind)).toEqual(cases.map(([, kind]) => kind));
        for (const { text = '', ms, kind } of told) {
          expect(text).not.toContain('s3cret');
          if (kind !== 'opened') expect(text).toContain('127.0.0.1');
          expect(ms).toBeLessThan(1_500 + SLACK_MS);
        }
      } finally {
        await Promise.all([initiated, waiting, secured].map((mongod) => mongod[Symbol.asyncDispose]()));
      }
    },
  );

  it('[P51] leaves nothing behind at close: the process ends by itself', async () => {
    await using folder = await tempDir('kb-close');
    expect(await lifeOf(10_000, [folder.path, folder.path])).toMatchObject([{ kind: 'opened' }, { kind: 'opened' }]);
  });

  it('[P33] gives up opening at once when its signal aborts, with the reason as it is, and closes what opens late', async () => {
    const reason = new Error('another component failed');
    let opened = (): void => {};
    let closed = (): void => {};
    const wasClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    let seen: AbortSignal | undefined;
    const slow: KbStore = {
      name: 'a slow store',
      async open({ signal }) {
        seen = signal;
        await new Promise<void>((resolve) => {
          opened = resolve;
        });
        return {
          commit: async () => ({ status: 'ok' }),
          read: async () => undefined,
          compare: () => Promise.reject(new Error('not asked')),
          close: async () => closed(),
        };
      },
    };
    const events: KbEvent[] = [];
    const controller = new AbortController();
    const opening = openKb({ store: slow, signal: controller.signal, onEvent: (event) => events.push(event) });
    controller.abort(reason);
    expect(await opening.catch((error: unknown) => error)).toBe(reason);
    expect(seen).toMatchObject({ aborted: true, reason });
    opened();
    await wasClosed;
    expect(events.some((event) => event.type === 'kb.opened' || event.type === 'kb.start-failed')).toBe(false);

    const aborted = openKb({ store: slow, signal: AbortSignal.abort(reason) });
    expect(await aborted.catch((error: unknown) => error)).toBe(reason);
    expect(() => openKb({ store: slow, signal: {} as AbortSignal })).toThrow(/signal must be an AbortSignal/);
  });

  it('[P33] gives up a folder that another process may still own, and a server that does not answer', async () => {
    const silent = createServer(() => {});
    const port = await listening(silent);
    const reason = new Error('enough');
    const controller = new AbortController();
    const opening = openKb({ store: mongoStore({ uri: `mongodb://127.0.0.1:${port}/kb` }), signal: controller.signal });
    controller.abort(reason);
    expect(await opening.catch((error: unknown) => error)).toBe(reason);
    silent.close();
  });

  it('[P31] writes nothing more once another process has the folder, and says so', async () => {
    await using folder = await tempDir('kb-stale');
    await using old = runNode(fixture('hold'), { args: [folder.path], ipc: true });
    await old.nextMessage((message) => 'ready' in (message as object), 30_000);
    // As after a takeover of an owner that was wrongly taken for dead.
    await rename(join(folder.path, 'owner.lock'), join(folder.path, 'taken'));
    const kb = await openKb({ store: fileStore({ dir: folder.path }) });
    expect(kb.get('mine')?.rev).toBe(1);
    old.send('late');
    const answer = await old.nextMessage<{ id: string; code: string }>((message) => 'id' in message, 30_000);
    expect(answer).toMatchObject({ id: 'late', code: 'KB_STORE_FAILED' });
    old.send('later');
    expect(await old.nextMessage((message: { id?: string }) => message.id === 'later', 30_000)).toMatchObject({
      code: 'KB_STORE_FAILED',
      state: 'failed',
    });
    await kb.put({ id: 'new', title: 'new owner' });
    await kb.close();
    const again = await openKb({ store: fileStore({ dir: folder.path }) });
    expect([again.get('mine')?.rev, again.get('new')?.rev, again.get('late')]).toEqual([1, 1, undefined]);
    await again.close();
  });
});
