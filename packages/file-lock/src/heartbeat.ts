import { lstatSync, utimesSync } from 'node:fs';
import type { Contest } from './protocol.js';
import { mine } from './protocol.js';

/** The heart of one hold. */
export interface Heartbeat {
  /** Stops it; nothing is called after this. */
  stop(): Promise<void>;
}

type Callback = (error: Error | null, stat?: { mtime: Date }) => void;

/**
 * Lets proper-lockfile, unmodified, keep the heartbeat of a lock that the protocol has acquired. It is driven through its
 * `fs` option: its `mkdir` is told that the lock is had, its `stat` and `utimes` go to my own directory, so that ENOENT
 * there is an exact proof of loss, and its `rmdir` removes nothing, because releasing is the protocol's.
 *
 * It is loaded here, at the first lock: loading it replaces `process.emit` and adds signal listeners.
 */
export async function startHeartbeat(
  contest: Contest,
  now: () => number,
  onLost: (cause: Error) => void,
): Promise<Heartbeat> {
  const { lock } = (await import('proper-lockfile')).default;
  const own = mine(contest);
  let last = new Date(now());
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
        utimesSync(own, mtime, mtime);
        // A plain peer judges by the outer directory. We have just proven that it is ours.
        utimesSync(contest.lock, mtime, mtime);
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

  return {
    async stop() {
      stopped = true;
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
