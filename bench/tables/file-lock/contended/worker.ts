import { readFileSync, writeFileSync } from 'node:fs';
import { updateFile } from '@holdfast/file-lock';
import { lockerNamed } from '../locks/locks.ts';

/** Appends `count` lines to `file` by read-modify-write and answers, for each, when it was inside and how long it waited. */
interface Job {
  who: string;
  file: string;
  name: string;
  count: number;
}

process.on('message', ({ who, file, name, count }: Job) => {
  work(who, file, name, count).then(
    (turns) => process.send!({ turns }),
    (error: Error) => process.send!({ turns: [], error: error.message }),
  );
});
process.send!({ ready: true });

async function work(
  who: string,
  file: string,
  name: string,
  count: number,
): Promise<{ atMs: number; waitedMs: number }[]> {
  const turns: { atMs: number; waitedMs: number }[] = [];
  const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
  for (let n = 0; n < count; n += 1) {
    const started = nowMs();
    const line = `${name} ${n}\n`;
    if (who === 'holdfast updateFile') {
      await updateFile(
        file,
        (text) => {
          turns.push({ atMs: nowMs(), waitedMs: nowMs() - started });
          return `${text ?? ''}${line}`;
        },
        { timeoutMs: 120_000, fsync: false },
      );
      continue;
    }
    const release = await lockerNamed(who).lock(file);
    turns.push({ atMs: nowMs(), waitedMs: nowMs() - started });
    writeFileSync(file, readFileSync(file, 'utf8') + line);
    await release();
  }
  return turns;
}
