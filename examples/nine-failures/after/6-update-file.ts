// file-lock: read, change and commit under a lock that a crash frees at once; a commit is whole or not at all.
import { updateFile } from '@holdfast/file-lock';
import { eachCommand } from '../src/commands.js';

await eachCommand((line) =>
  updateFile(process.env.MEMORY_FILE!, (content) => `${content ?? ''}\n${line}`, { timeoutMs: 20_000 }),
);
