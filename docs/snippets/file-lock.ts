import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
const memory = join(folder, 'MEMORY.md');
const state = join(folder, 'state.json');
const rebuild = async (_signal: AbortSignal) => 'index v2';
const askModel = async (base: string | null) => {
  await writeFile(memory, `${base ?? ''}- written by somebody else meanwhile\n`);
  return '- what the model found\n';
};

// #region update
import { edit, isFileLockError, updateFile, updateJson, withFileLock } from '@holdfast/file-lock';

await updateFile(memory, (text) => `${text ?? ''}- learned something\n`);
await updateJson<{ runs: number }>(state, (value) => ({ runs: (value?.runs ?? 0) + 1 }));
// #endregion update

// #region edit
await edit(memory, {
  think: (base) => askModel(base), // minutes, with no lock held
  merge: (current, proposal) => `${current ?? ''}${proposal}`, // milliseconds, with it
});
// #endregion edit

// #region hold
await withFileLock(join(folder, 'index'), async (hold) => {
  const index = await rebuild(hold.signal); // aborts when the lock is lost
  await hold.commit(index); // refused by the kernel if it was
});
// #endregion hold

// #region timeout
try {
  await updateFile(memory, (text) => text ?? '', { timeoutMs: 2_000 });
} catch (error) {
  if (isFileLockError(error, 'FILE_LOCK_TIMEOUT')) console.error('held by', error.holder);
  else throw error;
}
// #endregion timeout

const text = await readFile(memory, 'utf8');
for (const line of ['learned something', 'somebody else', 'the model']) assert.ok(text.includes(line), line);
assert.equal(await readFile(join(folder, 'index'), 'utf8'), 'index v2');
