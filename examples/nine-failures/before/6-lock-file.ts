// The post-mortem's own minimal fix (src/utils/file-lock.ts): a lock file made with 'wx', which a crash leaves for ever.
import { readFile, unlink, writeFile } from 'node:fs/promises';
import { eachCommand } from '../src/commands.js';

class FileLock {
  private lockFile: string;
  private timeout: number;
  constructor(lockFile: string, timeout = 5000) {
    this.lockFile = lockFile;
    this.timeout = timeout;
  }

  async acquire(): Promise<void> {
    const start = Date.now();
    while (true) {
      try {
        await writeFile(this.lockFile, `${Date.now()}`, { flag: 'wx' });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (Date.now() - start > this.timeout) throw new Error(`Lock timeout: ${this.lockFile}`);
        await new Promise((r) => setTimeout(r, 10));
      }
    }
  }

  async release(): Promise<void> {
    try {
      await unlink(this.lockFile);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

const fileLock = new FileLock(`${process.env.MEMORY_FILE}.lock`);

async function updateMemory(insights: string[]) {
  await fileLock.acquire();
  try {
    const content = await readFile(process.env.MEMORY_FILE!, 'utf8');
    const updated = `${content}\n${insights.join('\n')}`;
    await writeFile(process.env.MEMORY_FILE!, updated);
  } finally {
    await fileLock.release();
  }
}

await eachCommand((line) => updateMemory([line]));
