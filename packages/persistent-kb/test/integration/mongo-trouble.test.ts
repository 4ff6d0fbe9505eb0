import { eventually, freePort, needs, startMongod, tcpProxy } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { type KbEvent, openKb } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';

describe('mongoStore start', () => {
  it('[P15] rejects with a kind of its own and without the password', async () => {
    const port = await freePort();
    const cases = [
      [`mongodb://u:s3cret@127.0.0.1:${port}/kb`, 'unreachable'],
      ['mongodb://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb+srv://u:s3cret@nowhere.invalid/kb', 'dns'],
      ['mongodb://u:s3cret@127.0.0.1/kb?nonsense=1', 'bad-uri'],
    ] as const;
    for (const [uri, kind] of cases) {
      const error = await openKb({ store: mongoStore({ uri }), startTimeoutMs: 1_000 }).catch((reason) => reason);
      expect(error).toMatchObject({ code: 'KB_START', kind });
      expect(`${error.stack}${error.cause?.stack}`).not.toContain('s3cret');
    }
  });

  it.skipIf(!needs('mongod'))('[P15] tells wrong credentials from missing ones', async () => {
    await using mongod = await startMongod({ auth: true });
    const wrong = mongod.uriFor('kb').replace('pass%2Fword', 's3cret');
    await expect(openKb({ store: mongoStore({ uri: wrong }) })).rejects.toMatchObject({ kind: 'auth' });
    const none = mongod.uriFor('kb').replace(/root:[^@]*@/, '');
    await expect(openKb({ store: mongoStore({ uri: none }) })).rejects.toMatchObject({ kind: 'forbidden' });
  });
});

describe.skipIf(!needs('mongod'))('mongoStore in trouble', () => {
  it('[P16] settles a write whose reply was cut by its operation id, once', async () => {
    await using mongod = await startMongod({ replSet: false });
    await using proxy = await tcpProxy(mongod.port);
    const events: KbEvent[] = [];
    const uri = `mongodb://127.0.0.1:${proxy.port}/kb?directConnection=true&retryWrites=false`;
    await using kb = await openKb({ store: mongoStore({ uri }), onEvent: (event) => events.push(event) });
    for (let n = 1; n <= 3; n++) {
      proxy.cutNextReply(1, (sent) => sent.includes('trouble'));
      expect((await kb.put({ id: 'trouble', title: `put ${n}` })).rev).toBe(n);
      expect(proxy.cuts).toBe(n);
    }
    const settled = events.filter((event) => event.type === 'kb.outcome-settled');
    expect(settled.map((event) => event.status)).toEqual(['written', 'written', 'written']);
    expect(kb.stats()).toMatchObject({ inDoubt: 0, entries: 1 });
  });

  it('[P17] answers reads while the database is away, rejects writes in time, and recovers alone', async () => {
    await using mongod = await startMongod({ replSet: true });
    await using kb = await openKb({ store: mongoStore({ uri: mongod.uriFor('kb') }), writeTimeoutMs: 2_000 });
    await kb.put({ id: 'a', title: 'kept' });
    await mongod.kill();
    await eventually(() => kb.health().state === 'degraded');
    expect(kb.query({ text: 'kept' }).total).toBe(1);
    await expect(kb.put({ id: 'b', title: 'away' })).rejects.toMatchObject({ code: 'KB_STORE_FAILED' });
    await mongod.restart();
    await eventually(() => kb.health().state === 'ready', { timeoutMs: 20_000 });
    expect((await kb.put({ id: 'b', title: 'back' })).rev).toBe(1);
  });
});
