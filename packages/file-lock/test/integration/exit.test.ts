import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquire } from '../../src/index.js';
import { startAgent } from '../agents.js';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';
import { OTHER_PID_NAMESPACE, works } from '../tools.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('agent');
});
afterAll(() => compiled[Symbol.asyncDispose]());

const hasNamespaces = works(...OTHER_PID_NAMESPACE, 'true');

describe('the end of a process', () => {
  it.each(['exit', 'throwLate'])('gives its locks back and leaves nothing (%s) [P23]', async (end) => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file });
    await agent.call(end).catch(() => {});
    await agent.proc.exited;
    expect(readdirSync(dir.path)).toEqual(['f.lock.token']);
  });

  it('by a signal that nobody handles leaves a lock that the next one of ours takes at once [P23]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled);
    await agent.call('acquire', { file });
    agent.proc.signal('SIGTERM');
    expect(await agent.proc.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(existsSync(`${file}.lock`)).toBe(true);
    await (await acquire(file, { takeover: 'dead-only', timeoutMs: 3_000 })).release();
    expect(readdirSync(dir.path)).toEqual(['f.lock.token']);
  });

  it.skipIf(!hasNamespaces)('does not come with a SIGTERM that PID 1 survives: it keeps its locks [P23]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using agent = await startAgent(compiled, OTHER_PID_NAMESPACE);
    expect(await agent.call('ping')).toBe(1);
    await agent.call('acquire', { file });
    const children = readFileSync(`/proc/${agent.proc.pid}/task/${agent.proc.pid}/children`, 'utf8');
    process.kill(Number(children.trim()), 'SIGTERM');
    for (let beats = 0; beats < 20; beats++) await agent.call('ping'); // the handlers have run by now
    await agent.call('assertHeld', { file });
    await agent.call('commit', { file, text: 'still mine' });
    expect(readFileSync(file, 'utf8')).toBe('still mine');
  });
});
