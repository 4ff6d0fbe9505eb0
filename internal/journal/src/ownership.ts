import { join } from 'node:path';
import type { Clock } from '@holdfast/clock';
import { acquire, isFileLockError } from '@holdfast/file-lock';
import { JournalError } from './errors.js';

/** Who may write to a journal's directory: what `acquire` of `@holdfast/file-lock` returns, as far as it is needed. */
export interface JournalOwnership {
  /** Throws if the directory is somebody else's by now. Asks the file system, not a flag. */
  assertHeld(): void;
  /** Aborts when the directory is lost. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * Becomes the owner of `dir`. An owner that is proven dead is replaced at once, one that is proven alive never, and one that
 * can't be proven either way (a restarted container has a new pid namespace) once its heartbeat stood still for `staleMs`.
 *
 * @throws JournalError `JOURNAL_LOCKED` with the owner
 */
export async function acquireDirectory(
  dir: string,
  options: { staleMs: number; timeoutMs: number; signal: AbortSignal | undefined; clock: Clock },
): Promise<JournalOwnership> {
  try {
    return await acquire(join(dir, 'owner'), { takeover: 'dead-or-unproven', failFast: 'proven-alive', ...options });
  } catch (error) {
    if (!isFileLockError(error, 'FILE_LOCK_TIMEOUT')) throw error;
    const { holder } = error;
    const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
    throw new JournalError(
      'JOURNAL_LOCKED',
      `${dir} is in use by ${who}; stop it, or give each process its own directory`,
      {
        cause: error,
        dir,
        owner:
          holder?.pid === undefined || holder.host === undefined ? undefined : { pid: holder.pid, host: holder.host },
      },
    );
  }
}
