import { join } from 'node:path';
import { runNode, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { acquire, inspect } from '../../src/index.js';

const HOLDER = new URL('../fixtures/hold.ts', import.meta.url);

describe('acquire after a crash', () => {
  it('replaces an owner killed with SIGKILL at once [P18]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using child = runNode(HOLDER, { args: [file] });
    await child.waitFor('held 1');
    expect(await inspect(file)).toMatchObject({ held: true, holder: { pid: child.pid, proof: 'alive', token: 1 } });
    await child.kill();
    await using hold = await acquire(file, { takeover: 'dead-only', timeoutMs: 1_000 });
    expect(hold.token).toBe(2);
  });

  it('never replaces a stopped owner under dead-or-unproven, and rejects at once with failFast [P19]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    await using child = runNode(HOLDER, { args: [file] });
    await child.waitFor('held');
    child.signal('SIGSTOP');
    await expect(
      acquire(file, { takeover: 'dead-or-unproven', staleMs: 2_000, timeoutMs: 3_000 }),
    ).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder: { pid: child.pid, proof: 'alive' } });
    await expect(
      acquire(file, { takeover: 'dead-or-unproven', timeoutMs: 60_000, failFast: 'proven-alive' }),
    ).rejects.toMatchObject({ code: 'FILE_LOCK_TIMEOUT', holder: { pid: child.pid, proof: 'alive' } });
    // The default takes it after staleMs; the late waker finds out.
    await using hold = await acquire(file, { staleMs: 2_000 });
    expect(hold.token).toBe(2);
    await child.kill();
  });
});
