import { fileURLToPath } from 'node:url';
import { needs, runNode, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { fileStore, openKb } from '../../src/index.js';
import { killWriters } from '../chaos/kills.chaos.js';
import { killPrimaries } from '../chaos/primary-kills.chaos.js';

const writer = fileURLToPath(new URL('../fixtures/writer.ts', import.meta.url));
const short = { seconds: 50, seed: 5, log: () => {} };

describe('fileStore', () => {
  it('[P13] loses nothing acknowledged to kill -9, opens at once after it, and its index is what a rebuild would be', async () => {
    const { runs, violations } = await killWriters({ ...short, store: 'file', kills: 4 });
    expect({ runs, violations }).toEqual({ runs: 4, violations: [] });
  });

  it('[P14] refuses a second process with the pid of the first, and opens at once after kill -9 of it', async () => {
    await using folder = await tempDir('kb-locked');
    await using child = runNode(writer, { args: [folder.path] });
    await child.waitFor('waiting', 30_000);
    child.write('go\n');
    await child.waitFor('acked', 30_000);
    await expect(openKb({ store: fileStore({ dir: folder.path }) })).rejects.toMatchObject({
      code: 'KB_START',
      kind: 'locked',
      pid: child.pid,
    });
    await child.kill();
    // Far below the 10 s for which an owner that can't be proven dead is watched.
    const kb = await openKb({ store: fileStore({ dir: folder.path }), startTimeoutMs: 5_000 });
    expect(kb.stats().entries).toBeGreaterThan(0);
    await kb.close();
  });
});

describe.skipIf(!needs('mongod'))('mongoStore', () => {
  it('[P55] loses nothing acknowledged to kill -9 of the process', async () => {
    const { runs, violations } = await killWriters({ ...short, store: 'mongodb', kills: 3 });
    expect({ runs, violations }).toEqual({ runs: 3, violations: [] });
  });

  it('[P44] loses nothing acknowledged when the primary of three is killed or steps down, and settles every doubt', async () => {
    const { violations, facts } = await killPrimaries({ ...short, kills: 2 });
    expect(violations).toEqual([]);
    // A hundred before each kill, which the run itself waits for.
    expect(facts?.acknowledged).toBeGreaterThan(200);
  });
});
