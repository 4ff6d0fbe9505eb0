import { lstatSync, utimesSync } from 'node:fs';
import type { Clock } from '@holdfast/clock';
import type { Contest } from './protocol.js';
import { mine } from './protocol.js';
import type { SecondHeart } from './second-heart.js';
import { showLife, startSecondHeart } from './second-heart.js';

/** The heart of one hold. */
export interface Heartbeat {
  /** Stops it; nothing is called after this. */
  stop(): Promise<void>;
}

/** Kept, because a loader hook (tsx, an instrumentation) makes each `import()` cost a hundred microseconds. */
let loaded: ReturnType<typeof load> | undefined;
const load = () => import('proper-lockfile');

type Callback = (error: Error | null, stat?: { mtime: Date }) => void;

/**
 * Lets proper-lockfile, unmodified, keep the heartbeat of a lock that the protocol has acquired. It is driven through its
 * `fs` option: its `mkdir` is told that the lock is had, its `stat` and `utimes` go to my own directory, so that ENOENT
 * there is an exact proof of loss, and its `rmdir` removes nothing, because releasing is the protocol's.
 *
 * It is loaded here, at the first lock: loading it replaces `process.emit` and adds signal listeners. A hold that lasts
 * gets a second heart, which beats while this thread's event loop is blocked; `onUnguarded` tells that it can't have one.
 */
export async function startHeartbeat(
  contest: Contest,
  clock: Clock,
  onLost: (cause: Error) => void,
  onUnguarded: (reason: string) => void,
): Promise<Heartbeat> {
  loaded ??= load();
  const { lock } = (await loaded).default;
  const own = mine(contest);
  let last = new Date(clock.now());
  let beats = 0;
  let beating = false;
  let stopped = false;

  const fs = Object.assign(Object.create(precision) as Record<symbol, unknown>, {
    mkdir: (_path: string, done: Callback) => done(null),
    stat: (_path: string, done: Callback) => {
      if (!beating) return done(null, { mtime: last });
      guarded(done, () => {
        lstatSync(own);
        return { mtime: last };
      });
    },
    utimes: (_path: string, _atime: Date, mtime: Date, done: Callback) => {
      if (!beating) return done(null);
      guarded(done, () => {
        // The fraction makes every beat a new value, also where the wall clock stands still or jumps back.
        beats += 1;
        const time = (mtime.getTime() + (beats % 1000) / 1000) / 1000;
        utimesSync(own, time, time);
        // A plain peer judges by the outer directory. We have just proven that it is ours.
        utimesSync(contest.lock, time, time);
        showLife();
        last = mtime;
        return { mtime };
      });
    },
    rmdir: (_path: string, done: Callback) => done(null),
    rmdirSync: () => {},
  });

  // Its registry is keyed by file: a key of my own keeps a lost hold from stopping its successor's heartbeat.
  const stopTimer = await lock(own, {
    fs,
    lockfilePath: contest.lock,
    realpath: false,
    retries: 0,
    stale: contest.staleMs,
    onCompromised: (cause) => {
      if (!stopped) onLost(cause);
    },
  });
  beating = true;
  rememberPrecision(fs);

  let second: SecondHeart | undefined;
  const cancelSecond = clock.schedule(contest.staleMs / 4, () => {
    second = startSecondHeart(own, contest.lock, contest.staleMs, { onLost, onFailed: onUnguarded });
  });

  return {
    async stop() {
      stopped = true;
      cancelSecond();
      second?.stop();
      try {
        await stopTimer();
      } catch {
        // It had seen the loss itself (ERELEASED). Whether the hold is lost is what the release finds out.
      }
    },
  };
}

/** proper-lockfile probes the time stamps' precision once per `fs` object; all of ours inherit the answer. */
const precision: Record<symbol, unknown> = {};

function rememberPrecision(fs: Record<symbol, unknown>): void {
  for (const symbol of Object.getOwnPropertySymbols(fs)) precision[symbol] ??= fs[symbol];
}

function guarded(done: Callback, call: () => { mtime: Date }): void {
  let stat: { mtime: Date };
  try {
    stat = call();
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, stat);
}
