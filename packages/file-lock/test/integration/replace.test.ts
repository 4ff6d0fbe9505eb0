import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquire } from '../../src/index.js';
import type { Agent } from '../agents.js';
import { startAgent } from '../agents.js';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';
import { tear } from '../chaos/torn.chaos.js';
import { SMALL_DISK, TRACED, works } from '../tools.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('agent');
});
afterAll(() => compiled[Symbol.asyncDispose]());

const hasStrace = works(...TRACED, '/dev/null', 'true');
const hasMounts = works(...SMALL_DISK, '/mnt', 'true');
const MIB = 2 ** 20;

describe('replacing a file', () => {
  it('is never seen in part, whenever the writer is killed, and leaves nothing after the next owner [P39]', async () => {
    const report = await tear({ seconds: 20, seed: 3, log: () => {} }, 5);
    expect(report.violations).toEqual([]);
    expect(report.runs).toBe(5);
  });

  it.skipIf(!hasStrace)('writes all, syncs, closes, renames, syncs the directory, in this order [P40]', async () => {
    await using dir = await tempDir();
    for (const operation of ['fill', 'fillLocked']) {
      const file = join(dir.path, `${operation}.txt`);
      const trace = await traced(join(dir.path, operation), (agent) =>
        agent.call(operation, { file, text: 'x', size: MIB }),
      );
      const calls = [...trace.matchAll(/ (\w+)\((.*?)\) += (\d+)/g)].map(([, name = '', args = '', value]) => ({
        name,
        args,
        value,
      }));
      const stage = calls
        .find(({ name, args }) => name === 'rename' && args.endsWith(`"${file}"`))
        ?.args.match(/^"([^"]+)"/)?.[1] as string;
      const ofStage = calls.filter(({ args }) => args.includes(stage) || args.includes(`<${dir.path}>`));
      const order = ofStage.map(({ name, args }) => (args.includes(stage) ? name : `${name} directory`));
      const written = ofStage.filter(({ name, args }) => /write/.test(name) && args.includes(stage));
      expect(written.reduce((sum, { value }) => sum + Number(value), 0)).toBe(MIB);
      const steps = order.filter((step) => /^(fsync|close|rename|fsync directory)$/.test(step));
      expect(steps).toEqual(['fsync', 'close', 'rename', 'fsync directory']);
      expect(order.findLastIndex((step) => /write/.test(step))).toBeLessThan(order.indexOf('fsync'));
    }
  });

  it.skipIf(!hasStrace)('syncs once for 100 updates that one process has queued [P51]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const trace = await traced(join(dir.path, 'hundred'), async (agent) => {
      expect(await agent.call('hundred', { file })).toBe(1);
    });
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(100);
    const count = (pattern: RegExp): number => [...trace.matchAll(pattern)].length;
    expect(count(/fsync\(\d+<[^>]*\/s-1>\)/g)).toBe(1);
    expect(count(/ f(data)?sync\(/g)).toBe(2); // the other one is the directory's
    expect(count(/ rename\([^)]*f\.lock\.new-[^)]*\) += 0/g)).toBe(1); // one claim of the lock
  });

  it.skipIf(!hasMounts)(
    'rejects on a full disk and leaves the old bytes whole and no litter, in every writer [P41]',
    async () => {
      await using dir = await tempDir();
      const file = join(dir.path, 'f');
      const log = join(dir.path, 'log');
      // The mount is seen by this agent alone.
      await using agent = await startAgent(compiled, [...SMALL_DISK, dir.path]);
      await agent.call('fill', { file, text: 'old', size: MIB });
      const full = { code: 'FILE_LOCK_IO', cause: 'ENOSPC' };
      for (const operation of ['fill', 'fillLocked'])
        await expect(agent.call(operation, { file, text: 'new', size: 4 * MIB })).rejects.toMatchObject(full);
      expect(await agent.call('read', { file })).toBe('o'.repeat(MIB));
      await agent.call('records', { file: log, text: 'a', size: 10, count: 2 });
      await expect(agent.call('records', { file: log, text: 'b', size: 4 * MIB, count: 1 })).rejects.toMatchObject(
        full,
      );
      await agent.call('records', { file: log, text: 'c', size: 10, count: 1 });
      const lines = (await agent.call<string>('read', { file: log })).trimEnd().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { by: string }).by)).toEqual(['a', 'a', 'c']);
      expect(await agent.call('list', { file })).toEqual(['f', 'f.lock.token', 'log']);
    },
  );

  it.each(['EDQUOT', 'EIO'])(
    'rejects when a write is cut short by %s, and leaves the old bytes whole and no litter [P41]',
    async (code) => {
      await using dir = await tempDir();
      const file = join(dir.path, 'f');
      await using agent = await startAgent(compiled);
      await agent.call('fill', { file, text: 'old', size: 1_000 });
      await agent.call('failWrites', { text: code });
      for (const operation of ['fill', 'fillLocked']) {
        const failing = agent.call(operation, { file, text: 'new', size: 1_000 });
        await expect(failing).rejects.toMatchObject({ code: 'FILE_LOCK_IO', cause: code });
      }
      expect(readFileSync(file, 'utf8')).toBe('o'.repeat(1_000));
      expect(await agent.call('list', { file })).toEqual(['f', 'f.lock.token']);
    },
  );

  it('rejects a file above the size limit of the process after a short write, and leaves the old bytes whole [P41]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled, ['sh', '-c', 'ulimit -f 64; exec "$@"', 'sh']);
    await agent.call('fill', { file, text: 'old', size: 1_000 });
    const tooLong = agent.call('fill', { file, text: 'new', size: MIB });
    await expect(tooLong).rejects.toMatchObject({ code: 'FILE_LOCK_IO', cause: 'EFBIG' });
    expect(readFileSync(file, 'utf8')).toBe('o'.repeat(1_000));
    expect(await agent.call('list', { file })).toEqual(['f']);
    // Under the lock proper-lockfile's signal hook makes the signal that comes with it deadly.
    await agent.call('fillLocked', { file, text: 'new', size: MIB }).catch(() => {});
    expect(await agent.proc.exited).toEqual({ code: null, signal: 'SIGXFSZ' });
    expect(readFileSync(file, 'utf8')).toBe('o'.repeat(1_000));
    await (await acquire(file)).release();
    expect(readdirSync(dir.path)).toEqual(['f', 'f.lock.token']);
  });
});

/** What `work` made an agent call, one system call a line, with paths behind descriptors. */
async function traced(output: string, work: (agent: Agent) => Promise<unknown>): Promise<string> {
  await using agent = await startAgent(compiled, [...TRACED, output]);
  await work(agent);
  await agent.call('exit').catch(() => {});
  await agent.proc.exited;
  return joined(readFileSync(output, 'utf8'));
}

/** strace splits a call that another thread interrupts; the call counts where it ends. */
function joined(trace: string): string {
  const begun = new Map<string, string>();
  return trace
    .split('\n')
    .flatMap((line) => {
      const [thread = ''] = line.split(' ');
      const start = /^(.*?) <unfinished \.\.\.>$/.exec(line)?.[1];
      if (start !== undefined) {
        begun.set(thread, start);
        return [];
      }
      const end = /<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
      return end === undefined ? [line] : [`${begun.get(thread) ?? thread}${end}`];
    })
    .join('\n');
}
