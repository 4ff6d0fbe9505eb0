import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileLockEvent } from '../../src/index.js';
import { acquire } from '../../src/index.js';
import { startAgent } from '../agents.js';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('plain-peer', 'agent');
});
afterAll(() => compiled[Symbol.asyncDispose]());

/** A plain peer that is told words and answers each with a line. */
async function startPeer(file: string): Promise<{ tell(word: string): Promise<string>; kill(): Promise<void> }> {
  const proc = compiled.run('plain-peer', [file, '2000']);
  await proc.waitFor('ready');
  let told = 0;
  return {
    async tell(word) {
      const n = ++told;
      proc.write(`${word}\n`);
      return (await proc.waitFor(new RegExp(`^${n} (\\w+)$`, 'm')))[1] as string;
    },
    kill: () => proc.kill(),
  };
}

describe.concurrent('a process that uses proper-lockfile alone', () => {
  it('sees our lock as held, past its stale time too, can not steal it, and gets it after our release [P43]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const peer = await startPeer(file);
    const hold = await acquire(file, { staleMs: 2_000 });
    const since = statSync(`${file}.lock`).mtimeMs;
    expect(await peer.tell('lock')).toBe('ELOCKED');
    await eventually(() => statSync(`${file}.lock`).mtimeMs >= since + 2_500);
    expect(await peer.tell('lock')).toBe('ELOCKED');
    hold.assertHeld();
    await hold.release();
    expect(await peer.tell('lock')).toBe('ok');
    await expect(acquire(file, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
      holder: { pid: undefined },
    });
    expect(await peer.tell('unlock')).toBe('ok');
    await (await acquire(file, { timeoutMs: 0 })).release();
    await peer.kill();
    expect(readdirSync(dir.path)).toEqual([]);
  });

  it('keeps its lock while it lives, and loses it staleMs after it was killed [P43]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const peer = await startPeer(file);
    expect(await peer.tell('lock')).toBe('ok');
    await expect(acquire(file, { staleMs: 2_000, timeoutMs: 3_000 })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
    });
    await peer.kill();
    const events: FileLockEvent[] = [];
    await using _hold = await acquire(file, {
      staleMs: 2_000,
      timeoutMs: 20_000,
      onEvent: (event) => events.push(event),
    });
    const acquired = events.find((event) => event.type === 'lock.acquired');
    expect(acquired?.waitedMs).toBeGreaterThanOrEqual(2_000);
  });

  it('can not take what we left by SIGKILL, until one of ours has run [P43]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file });
    await agent.proc.kill();
    const peer = await startPeer(file);
    expect(['ELOCKED', 'ENOTEMPTY']).toContain(await peer.tell('lock'));
    await (await acquire(file)).release();
    expect(await peer.tell('lock')).toBe('ok');
    await peer.kill();
  });
});
