import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of one test's own. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes a fresh folder under the system's temporary folder; disposing removes it with all that is in it. */
export async function tempDir(prefix = 'test'): Promise<TempDir> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `holdfast-${prefix}-`)));
  return {
    path,
    // Retries: a child that was just killed may still be writing its last file.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}
