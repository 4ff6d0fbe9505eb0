import { AsyncResource } from 'node:async_hooks';
import { contendFor } from './acquire.js';
import { runBatch } from './batch.js';
import { UNKNOWN } from './contender.js';
import { refuseDeadlock } from './deadlock.js';
import { timeoutError } from './errors.js';
import type { FileLockEvent } from './events.js';
import type { Hold } from './hold.js';
import { lookAt } from './inspect.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';
import type { Update, UpdateResult, UpdateSettings } from './update-file.js';

/** One call of `updateFile`. */
export interface Job {
  readonly fn: Update;
  readonly settings: UpdateSettings;
  /** Monotonic time of the call. */
  readonly calledMs: number;
  /** The caller's async context, so that `fn` sees the caller's AsyncLocalStorage, not the first queued call's. */
  readonly scope: AsyncResource;
  /** Takes the job out of the line; false if it has left already. */
  start(): boolean;
  resolve(result: UpdateResult): void;
  reject(error: unknown): void;
}

/** The calls of this process that wait for one file under the same rules. They share a lock, a commit and its fsync. */
interface Group {
  readonly target: Target;
  readonly waiting: Job[];
  /** Those in the present batch, for events only. */
  running: Job[];
  /** Ends the present wait for the lock. */
  cancel: AbortController;
}

const groups = new Map<string, Group>();

/** Queues an update; resolves when the commit that contains it is durable. */
export async function joinGroup(path: string, fn: Update, settings: UpdateSettings): Promise<UpdateResult> {
  settings.signal?.throwIfAborted();
  const target = resolveTarget(path);
  refuseDeadlock(target);
  const key = `${target.lock}\0${settings.takeover}\0${settings.staleMs}\0${settings.fsync}\0${settings.onExternalChange}`;
  const known = groups.get(key);
  const group = known ?? { target, waiting: [], running: [], cancel: new AbortController() };
  const result = queue(group, fn, settings);
  if (!known) {
    groups.set(key, group);
    void drain(key, group);
  }
  return result;
}

function queue(group: Group, fn: Update, settings: UpdateSettings): Promise<UpdateResult> {
  const { clock, signal, timeoutMs } = settings;
  const { target } = group;
  const calledMs = clock.monotonic();
  return new Promise<UpdateResult>((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const start = (): boolean => {
      const place = group.waiting.indexOf(job);
      if (place < 0) return false;
      group.waiting.splice(place, 1);
      cancelTimer?.();
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const leave = (error: () => unknown): void => {
      if (!start()) return;
      reject(error());
      if (group.waiting.length === 0) group.cancel.abort();
    };
    const onAbort = (): void => leave(() => signal?.reason);
    const onTimeout = (): void =>
      leave(() => {
        const holder = lookAt(target.lock)?.holder ?? UNKNOWN;
        return timeoutError(target.file, holder, clock.monotonic() - calledMs, timeoutMs);
      });
    const job: Job = { fn, settings, calledMs, scope: new AsyncResource('HoldfastUpdate'), start, resolve, reject };
    group.waiting.push(job);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (timeoutMs !== Infinity) cancelTimer = clock.schedule(timeoutMs, onTimeout, { ref: true });
  });
}

/** Takes the lock as often as there are jobs. Between two batches others have their turn. */
async function drain(key: string, group: Group): Promise<void> {
  while (group.waiting.length > 0) {
    group.cancel = new AbortController();
    group.running = [];
    try {
      const hold = await lockFor(group);
      await runBatch(
        group.target,
        hold,
        () => nextJob(group),
        (event) => tellAll(group, event),
      );
    } catch (error) {
      if (group.cancel.signal.aborted) continue; // nobody waited any longer; somebody may by now
      for (const job of [...group.waiting]) if (job.start()) job.reject(error);
    }
  }
  groups.delete(key);
}

function nextJob(group: Group): Job | undefined {
  const job = group.waiting[0];
  if (!job?.start()) return undefined;
  group.running.push(job);
  return job;
}

/** Waits for the lock as long as there is a job; the jobs themselves know when they give up. */
function lockFor(group: Group): Promise<Hold> {
  const [first] = group.waiting as [Job];
  return contendFor(group.target, {
    ...first.settings,
    timeoutMs: Number.POSITIVE_INFINITY,
    failFast: undefined,
    signal: group.cancel.signal,
    onEvent: (event) => tellAll(group, event),
  });
}

function tellAll(group: Group, event: FileLockEvent): void {
  const listeners = new Set([...group.waiting, ...group.running].map((job) => job.settings.onEvent));
  const errors: unknown[] = [];
  for (const listener of listeners) {
    try {
      listener?.(event);
    } catch (error) {
      errors.push(error); // the others must hear of it all the same
    }
  }
  if (errors.length > 0) throw errors[0];
}
