import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileLockEvent } from '../../src/index.js';
import { acquire, inspect } from '../../src/index.js';
import type { Agent } from '../agents.js';
import { startAgents } from '../agents.js';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('agent');
});
afterAll(() => compiled[Symbol.asyncDispose]());

const waitingFor = (file: string, count: number): Promise<unknown> =>
  eventually(async () => (await inspect(file)).processesWaiting === count);

describe('the line of processes', () => {
  it('gives the lock to processes in the order in which they came, and leaves nothing behind [P33]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 4);
    const first = await acquire(file);
    const order: number[] = [];
    const done: Promise<void>[] = [];
    for (const [n, agent] of agents.entries()) {
      done.push(lockOnce(agent, file, () => order.push(n)));
      await waitingFor(file, n + 1);
    }
    await first.release();
    await Promise.all(done);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(readdirSync(dir.path)).toEqual(['f.lock.token']);
  });

  it('names the holder in the timeout error and leaves no ticket of a waiter that gave up, exited or was killed [P32] [P34]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 5);
    const [late, aborted, exits, killed, next] = agents;
    const hold = await acquire(file);
    await expect(late.call('acquire', { file, options: { timeoutMs: 300 } })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
      holder: { pid: process.pid, proof: 'alive', host: expect.any(String), ageMs: expect.any(Number) },
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(existsSync(`${file}.lock.q`)).toBe(false);
    const gaveUp = aborted.call('acquire', { file });
    await waitingFor(file, 1);
    await aborted.call('abort', { file });
    await expect(gaveUp).rejects.toMatchObject({ message: 'no longer needed' });
    expect(existsSync(`${file}.lock.q`)).toBe(false);
    exits.call('acquire', { file }).catch(() => {});
    await waitingFor(file, 1);
    killed.call('acquire', { file }).catch(() => {});
    await waitingFor(file, 2);
    const entered = next.call('acquire', { file });
    await waitingFor(file, 3);
    await exits.call('exit').catch(() => {});
    await exits.proc.exited;
    await waitingFor(file, 2);
    await killed.proc.kill();
    await hold.release();
    await entered;
    await next.call('release', { file });
    expect(readdirSync(dir.path)).toEqual(['f.lock.token']);
  });

  it('passes a head that is stopped or blocked, and gives it its place back when it wakes up [P35]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 4);
    const [stopped, blocked, healthy, last] = agents;
    const hold = await acquire(file);
    const order: string[] = [];
    const enter = (name: string, agent: Agent): Promise<void> => lockOnce(agent, file, () => order.push(name));
    const done = [enter('stopped', stopped)];
    await waitingFor(file, 1);
    done.push(enter('blocked', blocked));
    await waitingFor(file, 2);
    const healthyHolds = healthy.call('acquire', { file });
    await waitingFor(file, 3);
    stopped.proc.signal('SIGSTOP');
    const wake = join(dir.path, 'wake');
    await blocked.call('block', { ms: 30_000, file: wake });
    await hold.release();
    await healthyHolds;
    order.push('healthy');
    const events = await healthy.call<FileLockEvent[]>('events');
    expect(events).toContainEqual(expect.objectContaining({ type: 'lock.passed-over', pid: blocked.proc.pid }));
    expect(events).not.toContainEqual(expect.objectContaining({ type: 'lock.passed-over', pid: stopped.proc.pid }));
    writeFileSync(wake, '');
    done.push(enter('last', last));
    await waitingFor(file, 3); // the blocked one is back
    stopped.proc.signal('SIGCONT');
    await healthy.call('release', { file });
    await Promise.all(done);
    expect(order).toEqual(['healthy', 'stopped', 'blocked', 'last']);
  });

  it('shares the lock evenly among 8 processes (Jain index at least 0.98) [P36]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 8);
    const gate = await acquire(file);
    const running = agents.map((agent) =>
      agent.call<number[]>('rounds', { file, count: 20, ms: 1, options: { timeoutMs: 60_000 } }, 60_000),
    );
    await waitingFor(file, 8);
    await gate.release();
    const turns = await Promise.all(running);
    const firstDone = Math.min(...turns.map((times) => times.at(-1) as number));
    const counts = turns.map((times) => times.filter((time) => time <= firstDone).length);
    const jain =
      counts.reduce((sum, n) => sum + n, 0) ** 2 / (counts.length * counts.reduce((sum, n) => sum + n * n, 0));
    expect(jain, `turns until the first had its 20: ${counts.join(' ')}`).toBeGreaterThanOrEqual(0.98);
  });

  it('keeps order and timeouts where no file can be watched [P37]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 2);
    const [one, two] = agents;
    await Promise.all(agents.map((agent) => agent.call('noWatch')));
    const hold = await acquire(file);
    await expect(one.call('acquire', { file, options: { timeoutMs: 200 } })).rejects.toMatchObject({
      code: 'FILE_LOCK_TIMEOUT',
    });
    const order: string[] = [];
    const first = lockOnce(one, file, () => order.push('one'));
    await waitingFor(file, 1);
    const second = lockOnce(two, file, () => order.push('two'));
    await waitingFor(file, 2);
    await hold.release();
    await Promise.all([first, second]);
    expect(order).toEqual(['one', 'two']);
  });

  it.skipIf(process.getuid?.() !== 0)('lets a user wait who may not join the line of another one [P57]', async () => {
    await using dir = await tempDir();
    chmodSync(dir.path, 0o777);
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 2);
    const [same, other] = agents;
    await lockOnce(other, join(dir.path, 'loads-what-it-needs'), () => {});
    await other.call('demote');
    const hold = await acquire(file);
    const first = same.call('acquire', { file, options: { timeoutMs: 30_000 } });
    await waitingFor(file, 1);
    const second = other.call('acquire', { file, options: { timeoutMs: 30_000 } }).catch((error: unknown) => error);
    await expect(other.call('acquire', { file: join(dir.path, 'g') })).resolves.toMatchObject({ token: 1 });
    await hold.release();
    await Promise.race([first, second]);
    if ((await inspect(file)).holder?.pid === same.proc.pid) await same.call('release', { file });
    await second;
    expect((await inspect(file)).holder?.pid).toBe(other.proc.pid);
  });

  it('has one place for all waiters of a process [P55]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agents = await startAgents(compiled, 1);
    await agents[0].call('acquire', { file });
    const waiting = Array.from({ length: 5 }, () => acquire(file, { timeoutMs: 30_000 }));
    await waitingFor(file, 1);
    expect(await inspect(file)).toMatchObject({ waiters: 4, processesWaiting: 1 });
    await agents[0].call('release', { file });
    for (const turn of waiting) await (await turn).release();
    expect(readdirSync(dir.path)).toEqual(['f.lock.token']);
  });

  it('touches nothing when its signal has aborted before it starts [P54]', async () => {
    const given = new Error('not wanted');
    // A look at this directory would reject FILE_LOCK_IO.
    await expect(acquire('no/such/directory/f', { signal: AbortSignal.abort(given) })).rejects.toBe(given);
  });
});

async function lockOnce(agent: Agent, file: string, inside: () => unknown): Promise<void> {
  await agent.call('acquire', { file, options: { timeoutMs: 30_000 } });
  inside();
  await agent.call('release', { file });
}
