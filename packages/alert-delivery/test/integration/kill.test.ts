import { fileURLToPath } from 'node:url';
import { runNode, tempDir } from '@holdfast/testkit';
import { expect, it } from 'vitest';

const fixture = fileURLToPath(new URL('../fixtures/accepting.ts', import.meta.url));

it('loses no acknowledged alert to kill -9, and marks every repeat [P22]', async () => {
  await using dir = await tempDir();
  const acked = new Set<string>();
  const sent = new Map<string, string[]>();
  const read = (text: string): void => {
    for (const [, word, id, repeat] of text.matchAll(/^(acked|sent) (\S+)(?: (true|false))?\n/gm)) {
      if (word === 'acked') acked.add(id!);
      else sent.set(id!, [...(sent.get(id!) ?? []), repeat!]);
    }
  };
  for (let kill = 0; kill < 4; kill++) {
    await using process = runNode(fixture, { args: [dir.path, `k${kill}`] });
    await process.waitFor(new RegExp(`acked k${kill}-${50 + kill * 37}\\b`), 20_000);
    await process.kill();
    await process.exited;
    read(process.stdout);
  }
  await using last = runNode(fixture, { args: [dir.path, 'finish'] });
  expect((await last.exited).code).toBe(0);
  read(last.stdout);
  expect(acked.size).toBeGreaterThan(200);
  expect([...acked].filter((id) => !sent.has(id))).toEqual([]);
  for (const repeats of sent.values()) expect(repeats.slice(1).every((mark) => mark === 'true')).toBe(true);
  const stats = JSON.parse(/^stats (.*)$/m.exec(last.stdout)![1]!) as {
    accepted: number;
    delivered: number;
    lawHolds: boolean;
  };
  expect(stats.lawHolds).toBe(true);
  expect(stats.delivered).toBe(stats.accepted);
});
