import {
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { eventually, runProcess, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mintName } from '../../src/identity.js';
import type { FileLockEvent } from '../../src/index.js';
import { acquire, breakLock, inspect, updateFile } from '../../src/index.js';
import { startAgent, startAgents } from '../agents.js';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';
import { OTHER_PID_NAMESPACE, works } from '../tools.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('agent', 'hold');
});
afterAll(() => compiled[Symbol.asyncDispose]());

const SOON = { takeover: 'dead-only', timeoutMs: 5_000 } as const;
const hasNamespaces = works(...OTHER_PID_NAMESPACE, 'true');

describe('acquire after a crash', () => {
  it('replaces an owner killed with SIGKILL at once, with a higher token [P18] [P45]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    expect(await agent.call('acquire', { file })).toEqual({ token: 1 });
    expect(await inspect(file)).toMatchObject({
      held: true,
      holder: { pid: agent.proc.pid, proof: 'alive', token: 1 },
    });
    await agent.proc.kill();
    const waited = performance.now();
    await using hold = await acquire(file, SOON);
    expect(performance.now() - waited).toBeLessThan(2_000);
    expect(hold.token).toBe(2);
  });

  it('knows an owner that has exited and was never reaped for dead [P26]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const script = `'${process.execPath}' '${compiled.file('hold')}' '${file}' & exec sleep 600`;
    await using parent = runProcess('sh', ['-c', script]);
    await parent.waitFor('held 1');
    const { holder } = await inspect(file);
    const pid = holder?.pid as number;
    process.kill(pid, 'SIGKILL');
    await eventually(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    await using hold = await acquire(file, SOON);
    expect(hold.token).toBe(2);
  });

  it('knows a recycled process or thread id by its start time [P27]', async () => {
    await using dir = await tempDir();
    const me = mintName();
    const [, scope, pid, tid, start] = me.split('-');
    const names = {
      'same id, other start': me.replace(`-${start}-`, `-${Number(start) - 1}-`),
      'thread that is gone': me.replace(`o-${scope}-${pid}-${tid}-`, `o-${scope}-${pid}-1-`),
    };
    for (const [name, owner] of Object.entries(names)) {
      const file = join(dir.path, name);
      holdAs(file, owner);
      await (await acquire(file, SOON)).release();
    }
    const file = join(dir.path, 'the very same');
    holdAs(file, me);
    await expect(acquire(file, { takeover: 'dead-only', timeoutMs: 50 })).rejects.toMatchObject({
      holder: { proof: 'alive', pid: process.pid },
    });
  });

  it('commits at once after an owner that died with a staged file, and removes it [P48]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using gone = runProcess(process.execPath, ['-e', '']);
    await gone.exited;
    holdAs(file, mintName().replace(/^(o-\w+)-\d+-\d+/, `$1-${gone.pid}-${gone.pid}`), { 's-1': 'half', t: '7' });
    await using hold = await acquire(file, SOON);
    await hold.commit('whole');
    await hold.release();
    expect(readFileSync(file, 'utf8')).toBe('whole');
    expect(readdirSync(dir.path)).toEqual(['f']);
  });
});

describe.concurrent('acquire beside an owner that does not move', () => {
  it('keeps a stopped owner under dead-or-unproven, and rejects at once with failFast [P19]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file, options: { staleMs: 2_000 } });
    agent.proc.signal('SIGSTOP');
    const holder = { pid: agent.proc.pid, proof: 'alive' };
    await expect(
      acquire(file, { takeover: 'dead-or-unproven', staleMs: 2_000, timeoutMs: 3_000 }),
    ).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder });
    await expect(
      acquire(file, { takeover: 'dead-or-unproven', timeoutMs: 60_000, failFast: 'proven-alive' }),
    ).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder });
  });

  it('refuses the commit and the release of a process that was stopped, replaced and woken [P21] [P45]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    const { token } = await agent.call<{ token: number }>('acquire', { file, options: { staleMs: 2_000 } });
    agent.proc.signal('SIGSTOP');
    await using hold = await acquire(file, { staleMs: 2_000, timeoutMs: 20_000 });
    expect(hold.token).toBeGreaterThan(token);
    await hold.commit('successor');
    agent.proc.signal('SIGCONT');
    for (const operation of ['commit', 'assertHeld', 'release'])
      await expect(agent.call(operation, { file, text: 'zombie' })).rejects.toMatchObject({ code: 'FILE_LOCK_LOST' });
    expect(await agent.call('aborted', { file })).toBe('FILE_LOCK_LOST');
    expect(readFileSync(file, 'utf8')).toBe('successor');
    expect((await inspect(file)).holder?.pid).toBe(process.pid);
    hold.assertHeld();
    // What it does at its exit hits no successor either.
    await agent.call('exit').catch(() => {});
    await agent.proc.exited;
    hold.assertHeld();
  });

  it('takes a blocked owner not before staleMs, and with dead-only never [P29]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file, options: { staleMs: 2_000 } });
    await agent.call('block', { ms: 6_000 }); // before its second heart has started
    const events: FileLockEvent[] = [];
    const only = acquire(file, { takeover: 'dead-only', staleMs: 2_000, timeoutMs: 1_500 });
    await expect(only).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder: { proof: 'alive' } });
    await using _hold = await acquire(file, { staleMs: 2_000, timeoutMs: 20_000, onEvent: (e) => events.push(e) });
    const acquired = events.find((event) => event.type === 'lock.acquired');
    expect(acquired?.waitedMs).toBeGreaterThanOrEqual(2_000);
    expect(events.map(({ type }) => type)).toEqual(['lock.waiting', 'lock.stolen', 'lock.acquired']);
  });

  it('leaves a blocked owner its lock while its second heart beats, up to 6 times staleMs [P30]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file, options: { staleMs: 2_000 } });
    const heartbeat = (): number => statSync(`${file}.lock/${ownerOf(file)}`).mtimeMs;
    const first = heartbeat();
    await eventually(() => heartbeat() !== first);
    await agent.call('block', { ms: 60_000 });
    await expect(acquire(file, { staleMs: 2_000, timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
      holder: { pid: agent.proc.pid },
    });
    await using hold = await acquire(file, { staleMs: 2_000, timeoutMs: 30_000 });
    expect(hold.token).toBe(2);
  });

  it('says so where there can be no second heart, and holds on [P56]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('noWorkers');
    await agent.call('acquire', { file, options: { staleMs: 2_000 } });
    const event = await eventually(async () =>
      (await agent.call<FileLockEvent[]>('events')).find(({ type }) => type === 'heartbeat.unguarded'),
    );
    expect(event).toEqual({ type: 'heartbeat.unguarded', path: file, reason: 'no more threads' });
    await agent.call('assertHeld', { file });
    await agent.call('release', { file });
  });

  it('is led astray by no clock: an hour forward or back in any process [P31]', async () => {
    await using dir = await tempDir();
    await using agents = await startAgents(compiled, 3);
    const [owner, ahead, behind] = agents;
    const file = join(dir.path, 'f');
    await owner.call('acquire', { file, options: { staleMs: 2_000 } });
    await ahead.call('jump', { ms: 3_600_000 });
    await behind.call('jump', { ms: -3_600_000 });
    const settled = Promise.allSettled(
      [ahead, behind].map((agent) => agent.call('acquire', { file, options: { staleMs: 2_000, timeoutMs: 3_500 } })),
    );
    await owner.call('jump', { ms: 3_600_000 });
    const ends = await settled;
    expect(ends).toEqual(
      Array(2).fill({ status: 'rejected', reason: expect.objectContaining({ code: 'FILE_LOCK_TIMEOUT' }) }),
    );
    await owner.call('assertHeld', { file });
    // A heartbeat that lies an hour ahead is as stale as any once it stands still.
    const other = join(dir.path, 'g');
    holdAs(other, 'o-0123456789-1-1-1-a-elsewhere');
    const future = Date.now() / 1000 + 3_600;
    utimesSync(`${other}.lock/o-0123456789-1-1-1-a-elsewhere`, future, future);
    await (await acquire(other, { staleMs: 2_000, timeoutMs: 20_000 })).release();
  });

  it.skipIf(!hasNamespaces)('proves nothing about another pid namespace: only the heartbeat counts [P28]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled, OTHER_PID_NAMESPACE);
    const { token } = await agent.call<{ token: number }>('acquire', { file, options: { staleMs: 2_000 } });
    expect(token).toBe(1);
    expect((await inspect(file)).holder).toMatchObject({ pid: 1, proof: 'unproven' }); // our pid 1 is somebody else
    await agent.proc.kill();
    const only = acquire(file, { takeover: 'dead-only', staleMs: 2_000, timeoutMs: 500 });
    await expect(only).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder: { proof: 'unproven' } });
    const events: FileLockEvent[] = [];
    await using _hold = await acquire(file, { staleMs: 2_000, timeoutMs: 20_000, onEvent: (e) => events.push(e) });
    expect(events.find((event) => event.type === 'lock.acquired')?.waitedMs).toBeGreaterThanOrEqual(2_000);
  });
});

describe('a hold that is lost', () => {
  it('can write its staged file on through an open descriptor and still not reach the file [P22]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    writeFileSync(file, 'old');
    const hold = await acquire(file);
    const stage = `${file}.lock/${ownerOf(file)}/s-9`;
    const fd = openSync(stage, 'wx');
    writeSync(fd, 'half ');
    await breakLock(file, { token: ownerOf(file) });
    await using successor = await acquire(file);
    await successor.commit('new');
    writeSync(fd, 'of a zombie');
    expect(() => renameSync(stage, file)).toThrow('ENOENT');
    await expect(hold.commit('zombie')).rejects.toMatchObject({ code: 'FILE_LOCK_LOST' });
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('is told by its signal and an event at the next heartbeat, never by a throw, and fails the update under way [P25]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const events: string[] = [];
    let ran = false;
    const update = updateFile(
      file,
      async (_text, hold) => {
        renameSync(`${file}.lock/${ownerOf(file)}`, `${file}.lock/o-successor`);
        await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
        ran = true;
        return 'zombie';
      },
      { staleMs: 2_000, onEvent: (event) => events.push(event.type) },
    );
    await expect(update).rejects.toMatchObject({ code: 'FILE_LOCK_LOST' });
    expect(ran).toBe(true);
    expect(events).toEqual(['lock.acquired', 'lock.lost']);
    expect(readdirSync(dir.path).sort()).toEqual(['f.lock', 'f.lock.token']);
  });

  it('is never told after its release, not even when that meets a heartbeat [P24]', async () => {
    await using dir = await tempDir();
    const events: string[] = [];
    const holds = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        acquire(join(dir.path, `f${n}`), { staleMs: 2_000, onEvent: (event) => events.push(event.type) }),
      ),
    );
    const beat = statSync(join(dir.path, 'f0.lock')).mtimeMs;
    await eventually(() => statSync(join(dir.path, 'f0.lock')).mtimeMs !== beat, { everyMs: 1 });
    await Promise.all(holds.map((hold) => hold.release()));
    expect(holds.some((hold) => hold.signal.aborted)).toBe(false);
    expect(events.filter((type) => type === 'lock.lost')).toEqual([]);
    expect(readdirSync(dir.path)).toEqual([]);
  });
});

function ownerOf(file: string): string {
  return readdirSync(`${file}.lock`)[0] as string;
}

/** A lock as the owner called `name` would have left it. */
function holdAs(file: string, name: string, staged: Record<string, string> = {}): void {
  mkdirSync(`${file}.lock`, { mode: 0o1777 });
  mkdirSync(`${file}.lock/${name}`);
  for (const [stage, text] of Object.entries(staged)) writeFileSync(`${file}.lock/${name}/${stage}`, text);
}
