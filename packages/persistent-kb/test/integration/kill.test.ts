import { fileURLToPath } from 'node:url';
import { runNode, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore, openKb } from '../../src/index.js';

const writer = fileURLToPath(new URL('../fixtures/writer.ts', import.meta.url));

describe('fileStore', () => {
  it('[P13] loses nothing acknowledged to kill -9, and opens at once after it', async () => {
    await using folder = await tempDir('kb-kill');
    const acked = new Set<string>();
    for (let kill = 0; kill < 3; kill++) {
      await using child = runNode(writer, { args: [folder.path] });
      await child.waitFor(/acked \d+-20-7/, 30_000);
      await child.kill();
      for (const [, id] of child.stdout.matchAll(/^acked (\S+)\n/gm)) acked.add(id!);
      const kb = await openKb({ store: fileStore({ dir: folder.path }) });
      expect([...acked].filter((id) => kb.get(id) === undefined)).toEqual([]);
      expect(await kb.verify()).toMatchObject({ ok: true, faults: [] });
      await kb.close();
    }
    expect(acked.size).toBeGreaterThan(300);
  });

  it('[P14] refuses a second process with the pid of the first', async () => {
    await using folder = await tempDir('kb-locked');
    await using child = runNode(writer, { args: [folder.path] });
    await child.waitFor('acked', 30_000);
    await expect(openKb({ store: fileStore({ dir: folder.path }) })).rejects.toMatchObject({
      code: 'KB_START',
      kind: 'locked',
      pid: child.pid,
    });
  });
});
