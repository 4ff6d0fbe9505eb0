import { stat } from 'node:fs/promises';
import { insideLock } from './deadlock.js';
import { FileLockError, ioError, lostError, systemCode } from './errors.js';
import type { FileLockEvent } from './events.js';
import type { Job } from './group.js';
import type { Hold } from './hold.js';
import { invalid } from './options.js';
import type { Target } from './target.js';
import type { UpdateResult } from './update-file.js';
import type { Snapshot } from './version.js';
import { snapshot, stampOf, versionOf } from './version.js';

/** After this long under one lock the others have their turn, however many jobs still wait: choice. */
const LONGEST_BATCH_MS = 100;

/** How often a batch starts over because somebody without a lock keeps changing the file. */
const MOST_RERUNS = 5;

/** A job that ran, and what it is told once the batch is durable. */
interface Ran {
  readonly job: Job;
  readonly waitedMs: number;
  result: UpdateResult;
}

/**
 * Runs the jobs that `next` gives, one after the other on the text that the one before left, and commits the last text
 * once. A job that throws leaves no trace. Every other job is settled when the commit is: all of them or none. Always
 * gives the lock back.
 */
export async function runBatch(
  target: Target,
  hold: Hold,
  next: () => Job | undefined,
  emit: (event: FileLockEvent) => void,
): Promise<void> {
  const ran: Ran[] = [];
  try {
    const token = hold.token;
    let before = await snapshot(target);
    let text = before.data;
    let fsync = true;
    let policy: Job['settings']['onExternalChange'] = 'rerun';
    let endMs = Number.POSITIVE_INFINITY;
    for (let job = next(); job; job = next()) {
      const now = job.settings.clock.monotonic();
      endMs = Math.min(endMs, now + LONGEST_BATCH_MS);
      ({ fsync, onExternalChange: policy } = job.settings);
      text = await runJob(target, hold, text, { job, waitedMs: now - job.calledMs, result: unsettled(token) }, ran);
      if (job.settings.clock.monotonic() >= endMs) break;
    }
    for (
      let reruns = 0;
      text !== before.data && policy !== 'overwrite' && (await changedOutside(target, before));
      reruns++
    ) {
      const found = await snapshot(target);
      if (found.version !== before.version) {
        emit({ type: 'file.changed-outside', path: target.file });
        if (policy === 'reject' || reruns >= MOST_RERUNS)
          throw staleError(target, found.version, 'was changed outside of the lock');
        text = found.data;
        for (const again of ran.splice(0)) text = await runJob(target, hold, text, again, ran);
      }
      before = found;
    }
    if (text !== null && text !== before.data) await hold.commit(text, { fsync });
    for (const { job, result } of ran) job.resolve(result);
  } catch (error) {
    for (const { job } of ran) job.reject(error);
    if (ran.length === 0) throw error;
  } finally {
    await release(hold);
  }
}

/** Runs one job on `text` and returns the text it leaves. */
async function runJob(
  target: Target,
  hold: Hold,
  text: string | null,
  attempt: Ran,
  ran: Ran[],
): Promise<string | null> {
  const { job, waitedMs } = attempt;
  const version = text === null ? 'absent' : versionOf(text);
  const { ifVersion } = job.settings;
  let next: string | undefined;
  try {
    if (ifVersion !== undefined && ifVersion !== version)
      throw staleError(target, version, `is not at version ${ifVersion}`);
    next = await job.scope.runInAsyncScope(() => insideLock(target, () => job.fn(text, lentHold(hold))));
    if (next !== undefined && typeof next !== 'string')
      throw new FileLockError(
        'FILE_LOCK_INVALID_DATA',
        `the update of ${target.file} must return a string or undefined, received ${typeof next}`,
        { path: target.file },
      );
  } catch (error) {
    job.reject(error);
    return text;
  }
  const changed = next !== undefined && next !== text;
  const after = changed ? (next as string) : text;
  attempt.result = { ...attempt.result, changed, version: changed ? versionOf(next as string) : version, waitedMs };
  ran.push(attempt);
  if (hold.signal.aborted) throw lostError(target.file);
  return after;
}

function unsettled(token: number): UpdateResult {
  return { changed: false, version: '', token, waitedMs: 0 };
}

async function changedOutside(target: Target, before: Snapshot): Promise<boolean> {
  try {
    return stampOf(await stat(target.file, { bigint: true })) !== before.stamp;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return before.stamp !== 'absent';
    throw ioError(target.file, 'look at', error);
  }
}

/** The batch's hold as its callbacks see it: it is the batch that writes and releases. */
function lentHold(hold: Hold): Hold {
  const refuse = (method: string): Promise<never> =>
    Promise.reject(invalid(`hold.${method}`, 'is not for the callback of an update: return the new text', 'a call'));
  return {
    get token() {
      return hold.token;
    },
    signal: hold.signal,
    assertHeld: () => hold.assertHeld(),
    commit: () => refuse('commit'),
    release: () => refuse('release'),
    [Symbol.asyncDispose]: () => refuse('release'),
  };
}

/** A loss after the commit changes nothing for the jobs: what they were told is in the file. */
async function release(hold: Hold): Promise<void> {
  try {
    await hold.release();
  } catch (error) {
    if (!(error instanceof FileLockError && error.code === 'FILE_LOCK_LOST')) throw error;
  }
}

function staleError(target: Target, version: string, what: string): FileLockError {
  const message = `${target.file} ${what}; nothing was written. Read it again and redo the change.`;
  return new FileLockError('FILE_LOCK_STALE_VERSION', message, { path: target.file, version });
}
