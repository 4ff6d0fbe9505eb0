import { sleep } from '@holdfast/backoff';
import { createEmitter } from '@holdfast/observe';
import { refuseDeadlock } from './deadlock.js';
import type { FileLockError } from './errors.js';
import { ioError, timeoutError } from './errors.js';
import type { FileLockEvent } from './events.js';
import type { Hold } from './hold.js';
import { holdLock } from './hold.js';
import type { Holder } from './identity.js';
import { holderOf, mintName, prove } from './identity.js';
import { lookAt } from './inspect.js';
import type { LockFs } from './lock-fs.js';
import { nodeLockFs, runToEnd } from './lock-fs.js';
import type { AcquireOptions, AcquireSettings } from './options.js';
import { acquireSettings, checkPath } from './options.js';
import type { Contest, Observation } from './protocol.js';
import { beginAcquire, decideAcquire } from './protocol-acquire.js';
import { beginRelease, decideRelease } from './protocol-release.js';
import type { Place } from './queue.js';
import { enterLine } from './queue.js';
import { sweep, sweepOnce } from './sweep.js';
import type { Target } from './target.js';
import { resolveTarget } from './target.js';

/**
 * Waits for the lock on `path` and holds it. The file itself need not exist; its directory must.
 *
 * Guaranteed: among all users of this package on one host (processes, worker threads, copies and versions of the package)
 * at most one holds it whose heartbeat is alive; a dead owner on this host is replaced at once; waiters of one process
 * get it in the order of their calls. Not guaranteed: that a stopped or blocked holder notices that it was replaced before
 * it looks (see {@link Hold}); anything on network file systems beyond the heartbeat's age. The lock is advisory.
 *
 * @param path the file to lock; relative paths and symlinks are resolved first, so that each file has one lock
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects FILE_LOCK_TIMEOUT (with `holder`), FILE_LOCK_IO, FILE_LOCK_DEADLOCK (inside a callback that holds it),
 * or with `signal.reason`
 * @example
 * await using hold = await acquire('state.json', { timeoutMs: 5_000 });
 * await hold.commit(JSON.stringify(next));
 */
export function acquire(path: string, options?: AcquireOptions): Promise<Hold> {
  checkPath(path);
  return contend(path, acquireSettings(options));
}

async function contend(path: string, settings: AcquireSettings): Promise<Hold> {
  settings.signal?.throwIfAborted();
  return contendFor(resolveTarget(path), settings);
}

/** {@link acquire} for a target that has been resolved. */
export async function contendFor(target: Target, settings: AcquireSettings): Promise<Hold> {
  settings.signal?.throwIfAborted();
  refuseDeadlock(target);
  const contender = new Contender(target, settings);
  try {
    return await contender.wait();
  } catch (error) {
    contender.place.leave();
    throw error;
  }
}

/** How long to wait between two looks at a held lock, milliseconds: short enough for a quick hand-over, jittered. */
const LOOK_AGAIN_MS = { least: 5, spread: 20 };

/** After losing a race the lock is most likely held for a moment only. */
const RACE_AGAIN_MS = 1;

/** The lock changed hands while it was looked at. */
export const UNKNOWN: Holder = { pid: undefined, host: undefined, proof: 'unproven' };

class Contender {
  readonly place: Place;
  readonly #target: Target;
  readonly #settings: AcquireSettings;
  readonly #fs: LockFs;
  readonly #emit: (event: FileLockEvent) => void;
  readonly #started: number;
  #seen: Observation | undefined;
  #said = false;
  #onHeldAhead: (() => void) | undefined;

  constructor(target: Target, settings: AcquireSettings) {
    this.#target = target;
    this.#settings = settings;
    // A fraction below the millisecond makes each heartbeat a new value, also where two fall into one millisecond.
    this.#fs = nodeLockFs(() => settings.clock.now() + settings.random());
    this.#emit = createEmitter('file-lock', settings.onEvent);
    this.#started = settings.clock.monotonic();
    this.place = enterLine(target.lock, () => this.#onHeldAhead?.());
  }

  async wait(): Promise<Hold> {
    const { clock, signal, random } = this.#settings;
    sweepOnce(this.#target);
    if (!this.place.isFirst()) await this.#standInLine();
    for (;;) {
      const contest = this.#contest();
      const final = runToEnd(this.#fs, beginAcquire(contest, this.#seen), (state, event) =>
        decideAcquire(state, event, clock.monotonic()),
      );
      this.#seen = final.seen;
      if (final.at === 'owned') return this.#hold(contest, final.takenFrom);
      if (final.at === 'broken') throw ioError(this.#target.file, final.doing, final.error);
      if (final.at !== 'waiting') throw new Error(`the lock protocol stopped at '${final.at}'`);

      const holder = final.held ? holderOf(final.held.owner, final.held.proof) : UNKNOWN;
      if (final.held) this.#told(holder);
      if (this.#leftMs() <= 0) throw this.#timeout(holder);
      const pause = final.held ? LOOK_AGAIN_MS.least + random() * LOOK_AGAIN_MS.spread : RACE_AGAIN_MS;
      await sleep(Math.min(pause, this.#leftMs()), clock, { signal, ref: true });
    }
  }

  /** Waits for its turn in this process; only the first in line looks at the lock again and again. */
  #standInLine(): Promise<void> {
    const { clock, signal, timeoutMs } = this.#settings;
    return new Promise<void>((resolve, reject) => {
      let cancelTimer: (() => void) | undefined;
      const settle = (how: () => void): void => {
        cancelTimer?.();
        signal?.removeEventListener('abort', onAbort);
        this.#onHeldAhead = undefined;
        how();
      };
      const onAbort = (): void => settle(() => reject(signal?.reason));
      const lookAhead = (): void => {
        const holder = lookAt(this.#target.lock)?.holder;
        if (!holder) return;
        try {
          this.#told(holder);
        } catch (error) {
          settle(() => reject(error));
        }
      };
      if (timeoutMs !== Infinity) {
        const onTimeout = (): void => settle(() => reject(this.#timeout(lookAt(this.#target.lock)?.holder ?? UNKNOWN)));
        cancelTimer = clock.schedule(this.#leftMs(), onTimeout, { ref: true });
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#onHeldAhead = lookAhead;
      void this.place.turn.then(() => settle(resolve));
      lookAhead();
    });
  }

  #contest(): Contest {
    const { takeover, staleMs } = this.#settings;
    return { lock: this.#target.lock, me: mintName(), takeover, staleMs };
  }

  async #hold(contest: Contest, takenFrom: string | undefined): Promise<Hold> {
    const { clock } = this.#settings;
    const path = this.#target.file;
    let hold: Hold;
    try {
      hold = await holdLock({
        target: this.#target,
        contest,
        fs: this.#fs,
        clock,
        emit: this.#emit,
        onEnd: () => this.place.leave(),
      });
    } catch (error) {
      runToEnd(this.#fs, beginRelease(contest), decideRelease);
      throw error;
    }
    if (takenFrom !== undefined) sweep(this.#target);
    if (takenFrom !== undefined) this.#emit({ type: 'lock.stolen', path, from: holderOf(takenFrom, prove(takenFrom)) });
    this.#emit({ type: 'lock.acquired', path, waitedMs: this.#waitedMs() });
    this.place.announceHeld();
    return hold;
  }

  /** Says once who is waited for, and gives up at once where the caller asked for that. */
  #told(holder: Holder): void {
    if (!this.#said) this.#emit({ type: 'lock.waiting', path: this.#target.file, holder });
    this.#said = true;
    if (this.#settings.failFast === 'proven-alive' && holder.proof === 'alive') throw this.#timeout(holder);
  }

  #timeout(holder: Holder): FileLockError {
    return timeoutError(this.#target.file, holder, this.#waitedMs(), this.#settings.timeoutMs);
  }

  #waitedMs(): number {
    return this.#settings.clock.monotonic() - this.#started;
  }

  #leftMs(): number {
    return Math.max(0, this.#settings.timeoutMs - this.#waitedMs());
  }
}
