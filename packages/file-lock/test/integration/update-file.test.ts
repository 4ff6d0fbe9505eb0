import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@holdfast/clock';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { updateFile } from '../../src/index.js';
import { bundle } from '../bundle.js';

/** A batch is ended after 100 ms for others to have their turn: here it never is, however slow the machine. */
const unhurried = { ...systemClock, monotonic: () => 0 };

describe('updateFile', () => {
  it('loses none of 16 processes x 50 updates, and gives each its own token [P1]', { timeout: 300_000 }, async () => {
    await using dir = await tempDir();
    await using compiled = await bundle('append-lines');
    const file = join(dir.path, 'f');
    const children = Array.from({ length: 16 }, (_, n) => compiled.run('append-lines', [file, `p${n}`, '50']));
    for (const child of children) expect(await child.exited, child.stderr).toEqual({ code: 0, signal: null });
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(800);
    expect(new Set(lines).size).toBe(800);
    const tokens = children.flatMap((child) =>
      [...child.stdout.matchAll(/acked \S+ \d+ (\d+)/g)].map((m) => Number(m[1])),
    );
    expect(new Set(tokens).size).toBe(800);
    expect(readdirSync(dir.path).sort()).toEqual(['f', 'f.lock.token']);
  });

  it('loses none of 100 updates queued in one process, in their order, and shares one lock among them [P2]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) => updateFile(file, (text) => `${text ?? ''}${n}\n`, { clock: unhurried })),
    );
    expect((await readFile(file, 'utf8')).trimEnd().split('\n').map(Number)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    );
    expect(new Set(results.map((result) => result.token)).size).toBe(1);
  });
});
