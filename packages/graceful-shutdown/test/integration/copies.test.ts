import { runNode } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';

describe('two copies of the package in one process', () => {
  it('[P54] touch nothing global when loaded, share one handler of each signal, and end with the worse code', async () => {
    const proc = runNode(new URL('../fixtures/two-copies.ts', import.meta.url), { ipc: true });
    await using _ = proc;
    const ready = await proc.nextMessage((message) => 'copies' in (message as object), 30_000);
    expect(ready).toEqual({ copies: 2, untouched: true, handlers: 1 });
    proc.signal('SIGTERM');
    expect(await proc.exited).toMatchObject({ code: 1 });
    expect(proc.messages).toContainEqual({ stopped: 'imported' });
    expect(proc.messages.filter((message) => 'stopped' in (message as object))).toHaveLength(2);
    expect(proc.stderr).toContain('cannot flush');
  });
});
