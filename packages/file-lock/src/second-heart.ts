import type { Worker } from 'node:worker_threads';

/**
 * A worker thread that goes on touching the locks of this thread while its event loop is blocked. It is started by the
 * first hold that outlives a quarter of its `staleMs` (start 21 ms, 9 MB: never for short holds) and ended with the last.
 *
 * It touches the owner's directory by its name, so that after a takeover it gets ENOENT and can't refresh a successor. An
 * event loop that never comes back would keep the lock for ever: the worker stops touching for it after
 * {@link LONGEST_BLOCK} times `staleMs` without a heartbeat of its own.
 */
export interface SecondHeart {
  stop(): void;
}

/** In units of `staleMs`: with the default a loop may be blocked for a minute. Choice. */
const LONGEST_BLOCK = 6;

interface Heart {
  readonly worker: Worker;
  /** Counts the heartbeats of the main loop. */
  readonly alive: Int32Array;
  readonly holds: Map<string, Listeners>;
}

interface Listeners {
  readonly onLost: (cause: Error) => void;
  /** There is no second heart (any more). */
  readonly onFailed: (reason: string) => void;
}

let heart: Heart | undefined;

/** Says that the event loop of this thread runs. */
export function showLife(): void {
  if (heart) Atomics.add(heart.alive, 0, 1);
}

/** Has `own`, the owner's directory inside `lock`, touched four times in `staleMs`. */
export function startSecondHeart(own: string, lock: string, staleMs: number, listeners: Listeners): SecondHeart {
  let stopped = false;
  let joined: Heart | undefined;
  const join = async (): Promise<void> => {
    // Loaded late: it replaces process.chdir, and importing this package has no side effects.
    const threads = await import('node:worker_threads');
    if (stopped) return;
    joined = heart ??= startWorker(threads.Worker);
    joined.holds.set(own, listeners);
    joined.worker.postMessage({ add: own, lock, everyMs: staleMs / 4, longestMs: staleMs * LONGEST_BLOCK });
  };
  join().catch((error: unknown) => listeners.onFailed((error as Error).message));
  return {
    stop() {
      stopped = true;
      if (!joined?.holds.delete(own)) return;
      if (joined.holds.size > 0) return joined.worker.postMessage({ remove: own });
      if (heart === joined) heart = undefined;
      void joined.worker.terminate();
    },
  };
}

function startWorker(Thread: typeof Worker): Heart {
  const alive = new Int32Array(new SharedArrayBuffer(4));
  // Neither loaders nor preloads of the program: the source below needs none.
  const worker = new Thread(SOURCE, { eval: true, execArgv: [], env: {}, workerData: alive });
  const started: Heart = { worker, alive, holds: new Map() };
  const failed = (reason: string): void => {
    if (heart === started) heart = undefined;
    for (const { onFailed } of started.holds.values()) onFailed(reason);
    started.holds.clear();
  };
  worker.on('message', (own: string) => {
    const gone = Object.assign(new Error(`ENOENT: ${own} is gone`), { code: 'ENOENT' });
    started.holds.get(own)?.onLost(gone);
  });
  worker.on('error', (error: Error) => failed(error.message));
  worker.on('exit', () => failed('the worker thread has ended'));
  worker.unref();
  return started;
}

/** Plain JavaScript, evaluated: a file of its own would have to be found again in every bundle. */
const SOURCE = `
const { parentPort, workerData: alive } = require('node:worker_threads');
const { utimesSync } = require('node:fs');
const timers = new Map();
let beats = 0;
parentPort.on('message', ({ add, remove, lock, everyMs, longestMs }) => {
  if (remove) {
    clearInterval(timers.get(remove));
    timers.delete(remove);
    return;
  }
  let seen = Atomics.load(alive, 0);
  let quietMs = 0;
  const beat = () => {
    const now = Atomics.load(alive, 0);
    quietMs = now === seen ? quietMs + everyMs : 0;
    seen = now;
    if (quietMs > longestMs) return;
    const time = (Date.now() + (++beats % 1000) / 1000) / 1000;
    try {
      utimesSync(add, time, time);
    } catch (error) {
      if (error.code !== 'ENOENT') return;
      clearInterval(timers.get(add));
      parentPort.postMessage(add);
      return;
    }
    try { utimesSync(lock, time, time); } catch {}
  };
  timers.set(add, setInterval(beat, everyMs));
  beat();
});
`;
