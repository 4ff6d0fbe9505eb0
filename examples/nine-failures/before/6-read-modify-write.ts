// As in the post-mortem: src/memory/memory-updater.ts reads, changes and writes MEMORY.md without a lock.
import { readFile, writeFile } from 'node:fs/promises';
import { eachCommand } from '../src/commands.js';

async function updateMemory(insights: string[]) {
  const content = await readFile(process.env.MEMORY_FILE!, 'utf8');
  const updated = `${content}\n${insights.join('\n')}`;
  await writeFile(process.env.MEMORY_FILE!, updated);
}

await eachCommand((line) => updateMemory([line]));
