import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Proc, runNode, tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';

/** Several processes add lines to one file at once; then some are killed in the middle of it, and another one goes on. */
export const memoryFile: Failure = {
  number: 6,
  title: 'two consolidations write MEMORY.md, one of them is lost',
  before: [
    { program: '6-read-modify-write', from: 'post-mortem, src/memory/memory-updater.ts' },
    { program: '6-lock-file', from: "post-mortem's minimal fix, src/utils/file-lock.ts" },
  ],
  after: { program: '6-update-file', from: '@holdfast/file-lock' },
  async run(program, { short }) {
    await using dir = await tempDir();
    const file = join(dir.path, 'MEMORY.md');
    // Long enough that most of the time goes by between the lock and its release: that is when a kill has to come.
    const heading = `# Memory\n${'What people wrote here. '.repeat(60_000)}`;
    await writeFile(file, heading);
    const start = async (): Promise<Proc> => {
      const proc = runNode(program, { env: { MEMORY_FILE: file } });
      await proc.waitFor('ready', 30_000);
      return proc;
    };
    const acknowledged = new Set<string>();

    const writers = await Promise.all(Array.from({ length: short ? 3 : 6 }, start));
    const lines = short ? 5 : 15;
    await Promise.all(
      writers.map(async (proc, w) => {
        for (let n = 0; n < lines; n += 1) proc.write(`writer-${w}-line-${n}.\n`);
        await proc.waitFor(new RegExp(`(done|failed) writer-${w}-line-${lines - 1}\\.`), 60_000);
      }),
    );

    let hung = 0;
    for (let kill = 0; kill < 6 && hung === 0; kill += 1) {
      const victim = writers[kill % writers.length]!;
      for (let n = 0; n < 5_000; n += 1) victim.write(`kill-${kill}-line-${n}.\n`);
      await victim.waitFor(`done kill-${kill}-line-${3 + kill}.`, 30_000);
      await victim.kill();
      note(victim, acknowledged);
      writers[kill % writers.length] = await start();
      const next = writers[(kill + 1) % writers.length]!;
      next.write(`after-kill-${kill}.\n`);
      const went = await Promise.race([next.waitFor(`done after-kill-${kill}.`, 25_000), sleep(15_000)]).catch(
        () => undefined,
      );
      if (went === undefined) hung += 1;
    }
    for (const proc of writers) {
      note(proc, acknowledged);
      await proc.kill();
    }
    const text = await readFile(file, 'utf8');
    const lost = [...acknowledged].filter((line) => !text.includes(line)).length;
    return { ...NOTHING, acknowledged: acknowledged.size, lost, hung, corrupted: text.startsWith(heading) ? 0 : 1 };
  },
};

function note(proc: Proc, acknowledged: Set<string>): void {
  for (const [, line] of proc.stdout.matchAll(/^done (.+)$/gm)) acknowledged.add(line!);
}
