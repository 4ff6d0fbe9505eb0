import { lstatSync } from 'node:fs';
import type { Clock } from '@holdfast/clock';
import { FileLockError, ioError, lostError, systemCode } from './errors.js';
import type { FileLockEvent } from './events.js';
import { atExit } from './exit.js';
import type { Heartbeat } from './heartbeat.js';
import { startHeartbeat } from './heartbeat.js';
import { liveNames } from './identity.js';
import type { LockFs } from './lock-fs.js';
import { runToEnd } from './lock-fs.js';
import { DEFAULTS } from './options.js';
import type { Contest, Event } from './protocol.js';
import { mine, stagePath } from './protocol.js';
import { beginCommit, decideCommit } from './protocol-commit.js';
import { beginRelease, decideRelease } from './protocol-release.js';
import type { FileData } from './replace.js';
import { syncDirectoryOf, writeStage } from './replace.js';
import type { Target } from './target.js';
import { wakeNext } from './tickets.js';
import { bumpToken } from './token.js';

/**
 * A lock that is held. It ends with `release()`, or by loss: another process took it over because this one was proven
 * dead or gave no heartbeat for its `staleMs`.
 *
 * Guaranteed: after a loss `commit` and `release` reject `FILE_LOCK_LOST` and change nothing, whatever the timing,
 * because they work through a path that the takeover has renamed away. Not guaranteed: other work under the lock. A
 * process that was stopped does not know of its loss until it looks: check `signal` or `assertHeld()`, or pass `token`
 * to a resource that refuses lower ones.
 */
export interface Hold extends AsyncDisposable {
  /**
   * Fencing token: a number that rises with every hold of this file that asks for it, across crashes and takeovers (not
   * across a power cut, it is not synced). Kept in `F.lock.token`, written at the first read.
   * @throws FILE_LOCK_LOST, FILE_LOCK_RELEASED, FILE_LOCK_IO
   */
  readonly token: number;
  /** Aborts with the `FILE_LOCK_LOST` error when the loss is noticed, at the latest at the next heartbeat (`staleMs` / 2). */
  readonly signal: AbortSignal;
  /**
   * Replaces the file by `data`, atomically and durably: written inside the owner's directory, synced, renamed over the
   * file (a symlink's target), directory synced. Readers see the old or the new bytes, never a part.
   * @throws FILE_LOCK_LOST, FILE_LOCK_RELEASED, FILE_LOCK_IO (disk full and the like: the old file is whole)
   */
  commit(data: FileData, options?: { fsync?: boolean | undefined }): Promise<void>;
  /** One `lstat`: returns if the lock is still held, else throws FILE_LOCK_LOST (or FILE_LOCK_RELEASED). */
  assertHeld(): void;
  /** Gives the lock back, after commits under way. Rejects FILE_LOCK_LOST if it was no longer held. Twice is once. */
  release(): Promise<void>;
}

export interface HoldParts {
  readonly target: Target;
  readonly contest: Contest;
  readonly fs: LockFs;
  readonly clock: Clock;
  readonly emit: (event: FileLockEvent) => void;
  /** Called once, when the lock is no longer this hold's in any way. */
  readonly onEnd: () => void;
}

/** Takes charge of a lock that the protocol has just acquired. */
export async function holdLock(parts: HoldParts): Promise<Hold> {
  const { target, contest, fs, clock, emit, onEnd } = parts;
  const path = target.file;
  const since = clock.monotonic();
  const abort = new AbortController();
  let state: 'held' | 'lost' | 'released' = 'held';
  let token: number | undefined;
  let stages = 0;
  let commits: Promise<unknown> = Promise.resolve();
  let releasing: Promise<void> | undefined;
  let heart: Heartbeat | undefined;

  const end = (): void => {
    forgetExit();
    liveNames().delete(contest.me);
    onEnd();
  };
  const lose = (cause?: unknown): FileLockError => {
    const error = lostError(path, cause);
    if (state === 'held') {
      state = 'lost';
      emit({ type: 'lock.lost', path });
      abort.abort(error);
      void heart?.stop();
      end();
    }
    return error;
  };
  const leaveAtExit = (): void => {
    if (state !== 'held') return;
    runToEnd(fs, beginRelease(contest), decideRelease);
    wakeNext(target);
  };

  const assertHeld = (): void => {
    if (state === 'released' || releasing) throw releasedError(path);
    if (state === 'lost') throw lostError(path);
    try {
      lstatSync(mine(contest));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') throw lose(error);
      throw ioError(path, 'look at the lock of', error);
    }
  };

  const commitNow = async (data: FileData, fsync: boolean): Promise<void> => {
    if (state === 'lost') throw lostError(path);
    stages += 1;
    const stage = `s-${stages}`;
    let step = beginCommit(contest, stage, path);
    while (step.effect) {
      step = decideCommit(
        step.state,
        step.effect.do === 'stage'
          ? await staged(stagePath(contest, stage), data, path, fsync)
          : fs.perform(step.effect),
      );
    }
    if (step.state.at === 'commit-lost') throw lose();
    if (step.state.at === 'commit-broken') throw ioError(path, 'replace', step.state.error);
    if (fsync) {
      syncDirectoryOf(target, emit);
    }
  };

  const releaseNow = async (): Promise<void> => {
    await commits.catch(() => {});
    await heart?.stop();
    if (state === 'lost') throw lostError(path);
    const final = runToEnd(fs, beginRelease(contest), decideRelease);
    if (final.at === 'release-lost') throw lose();
    state = 'released';
    wakeNext(target);
    end();
    emit({ type: 'lock.released', path, heldMs: clock.monotonic() - since });
    if (final.at === 'release-broken') throw ioError(path, 'release the lock of', final.error);
  };

  liveNames().add(contest.me);
  const forgetExit = atExit(leaveAtExit);
  heart = await startHeartbeat(
    contest,
    clock,
    (cause) => void lose(cause),
    (reason) => emit({ type: 'heartbeat.unguarded', path, reason }),
  );

  const hold: Hold = {
    get token() {
      if (token !== undefined) return token;
      assertHeld();
      try {
        token = bumpToken(target, contest);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw ioError(path, 'count the token of', error);
        assertHeld();
        throw ioError(path, 'count the token of', error);
      }
      return token;
    },
    signal: abort.signal,
    commit(data, options = {}) {
      if (state === 'released' || releasing) return Promise.reject(releasedError(path));
      const done = commits.then(() => commitNow(data, options.fsync ?? DEFAULTS.fsync));
      commits = done.catch(() => {});
      return done;
    },
    assertHeld,
    release() {
      releasing ??= releaseNow();
      return releasing;
    },
    async [Symbol.asyncDispose]() {
      await hold.release();
    },
  };
  return hold;
}

/** Staging is the one asynchronous call of the protocol. */
async function staged(stage: string, data: FileData, like: string, fsync: boolean): Promise<Event> {
  try {
    await writeStage(stage, data, like, { fsync });
    return { type: 'done' };
  } catch (error) {
    return { type: 'failed', code: systemCode(error), error };
  }
}

function releasedError(path: string): FileLockError {
  return new FileLockError('FILE_LOCK_RELEASED', `the lock on ${path} has been released; acquire it again`, { path });
}
