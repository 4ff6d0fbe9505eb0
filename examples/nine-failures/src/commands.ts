import { createInterface } from 'node:readline';

/** Runs `work` for each line on standard input, one after the other; answers `done <line>` or `failed <line>: <why>`. */
export async function eachCommand(work: (line: string) => Promise<unknown>): Promise<void> {
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    await work(line).then(
      () => console.log(`done ${line}`),
      (error: Error) => console.log(`failed ${line}: ${error.message}`),
    );
  }
}
