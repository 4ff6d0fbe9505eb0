import { sleep } from '@holdfast/backoff';
import { createEmitter } from '@holdfast/observe';
import type { Bell } from './bell.js';
import { bellOf } from './bell.js';
import type { FileLockError } from './errors.js';
import { ioError, systemCode, timeoutError } from './errors.js';
import type { FileLockEvent } from './events.js';
import { atExit } from './exit.js';
import type { Hold } from './hold.js';
import { holdLock } from './hold.js';
import type { Holder } from './identity.js';
import { holderOf, mintName, prove } from './identity.js';
import { lookAt } from './inspect.js';
import type { LockFs } from './lock-fs.js';
import { nodeLockFs, runToEnd } from './lock-fs.js';
import type { AcquireSettings } from './options.js';
import type { Contest, Observation } from './protocol.js';
import { beginAcquire, decideAcquire, mayTake, observe } from './protocol-acquire.js';
import { beginRelease, decideRelease } from './protocol-release.js';
import type { Place } from './queue.js';
import { enterLine } from './queue.js';
import { sweep, sweepSometimes } from './sweep.js';
import type { Target } from './target.js';
import {
  leaveLine,
  lineOf,
  passOver,
  pidOfTicket,
  putTicket,
  standingOfTicket,
  sweepTickets,
  takeTicket,
  ticketsOf,
  wakeNext,
} from './tickets.js';
import type { Patience, Turn } from './turn.js';
import { decideTurn, LOOK_IN_LINE_MS } from './turn.js';

/** How long the first in line waits between two looks at a held lock, milliseconds: a crash or a plain peer wakes nobody. */
const LOOK_AGAIN_MS = { least: 5, spread: 20 };

/** After losing a race the lock is most likely held for a moment only. */
const RACE_AGAIN_MS = 1;

/** The lock changed hands while it was looked at. */
export const UNKNOWN: Holder = { pid: undefined, host: undefined, proof: 'unproven' };

/** My place among the processes that wait. */
interface Spot {
  readonly ticket: string;
  bell: Bell;
  /** Leaves the line and gives everything back. */
  leave(): void;
}

/** One call's way to the lock: first the line of this process, then the line of processes, then the protocol. */
export class Contender {
  readonly place: Place;
  readonly #target: Target;
  readonly #settings: AcquireSettings;
  readonly #fs: LockFs;
  readonly #emit: (event: FileLockEvent) => void;
  readonly #started: number;
  #seen: Observation | undefined;
  #patience: Patience | undefined;
  #spot: Spot | undefined;
  #said = false;
  /** The line belongs to another user who lets nobody in: I look from time to time, without a place. */
  #barred = false;
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
    sweepSometimes(this.#target, this.#settings.clock);
    if (!this.place.isFirst()) await this.#standInLine();
    try {
      for (;;) {
        const turn = this.#look();
        const pause = turn.do === 'wait' ? this.#waitBehind(turn.lookAgainMs) : await this.#attempt();
        if (typeof pause !== 'number') return pause;
        await this.#rest(pause);
      }
    } catch (error) {
      // A release may have woken this contender for its turn: the next one must not wait for it.
      this.#stepAside();
      throw error;
    } finally {
      this.#spot?.leave();
    }
  }

  /** Whose turn it is among the processes. Who does not wait (`timeoutMs: 0`), or may not join the line, asks nobody. */
  #look(): Exclude<Turn, { do: 'pass' }> {
    for (let passed = false; ; passed = true) {
      if (this.#settings.timeoutMs === 0 || this.#barred) return { do: 'go', dead: [] };
      const tickets = this.#inLine(() => ticketsOf(this.#target)) ?? [];
      const mine = this.#spot?.ticket;
      if (tickets.length === 0 && mine === undefined) return { do: 'go', dead: [] };
      if (mine !== undefined && !tickets.includes(mine)) this.#comeBack(mine);
      const now = this.#settings.clock.monotonic();
      const turn = decideTurn(tickets, mine, standingOfTicket, () => this.#isAvailable(), this.#patience, now);
      sweepTickets(this.#target, turn.dead);
      this.#patience = turn.do === 'wait' ? turn.patience : undefined;
      if (turn.do === 'pass') {
        this.#inLine(() => passOver(this.#target, turn.head));
        this.#emit({ type: 'lock.passed-over', path: this.#target.file, pid: pidOfTicket(turn.head) });
        continue;
      }
      if (passed && turn.do === 'wait') wakeNext(this.#target); // it is the next one's turn, and it does not know
      return turn;
    }
  }

  /** Whether somebody whose turn it is could have the lock now. */
  #isAvailable(): boolean {
    const found = lookAt(this.#target.lock);
    if (!found || found.holder.proof === 'dead') return true;
    const now = this.#settings.clock.monotonic();
    this.#seen = observe(this.#seen, found.heartbeat, now);
    return mayTake(this.#settings, found.holder, this.#seen, now);
  }

  #waitBehind(lookAgainMs: number | undefined): number {
    const { random } = this.#settings;
    const holder = lookAt(this.#target.lock)?.holder;
    if (holder) this.#told(holder);
    if (this.#leftMs() <= 0) throw this.#timeout(holder ?? UNKNOWN);
    if (this.#stand()) return 0;
    return Math.min(lookAgainMs ?? Infinity, LOOK_IN_LINE_MS.least + random() * LOOK_IN_LINE_MS.spread);
  }

  /** One run of the protocol: the hold, or how long to wait until the next. */
  async #attempt(): Promise<Hold | number> {
    const { clock, random, timeoutMs } = this.#settings;
    const contest = this.#contest();
    const final = runToEnd(this.#fs, beginAcquire(contest, this.#seen), (state, event) =>
      decideAcquire(state, event, clock.monotonic()),
    );
    this.#seen = final.seen;
    if (final.at === 'owned') {
      this.#spot?.leave();
      return this.#hold(contest, final.takenFrom);
    }
    if (final.at === 'broken') throw ioError(this.#target.file, final.doing, final.error);
    if (final.at !== 'waiting') throw new Error(`the lock protocol stopped at '${final.at}'`);

    const { held } = final;
    const holder = held ? holderOf(held.owner, held.proof, Math.max(0, clock.now() - held.heartbeat)) : UNKNOWN;
    if (held) this.#told(holder);
    if (this.#leftMs() <= 0) throw this.#timeout(holder);
    if (timeoutMs > 0 && this.#stand()) return 0;
    return held ? LOOK_AGAIN_MS.least + random() * LOOK_AGAIN_MS.spread : RACE_AGAIN_MS;
  }

  #rest(pause: number): Promise<void> {
    const { clock, signal } = this.#settings;
    const ms = Math.min(pause, this.#leftMs());
    return this.#spot ? this.#spot.bell.rest(ms, clock, signal) : sleep(ms, clock, { signal, ref: true });
  }

  /** Takes a ticket; false if there was one. After it the lock must be looked at again: a release may not have seen it. */
  #stand(): boolean {
    if (this.#spot || this.#barred) return false;
    const target = this.#target;
    const ticket = this.#inLine(() => takeTicket(target, mintName()));
    if (ticket === undefined) return false;
    const leave = (): void => {
      this.#spot = undefined;
      forgetExit();
      spot.bell.close();
      leaveLine(target, ticket);
    };
    const forgetExit = atExit(leave);
    const spot: Spot = { ticket, bell: bellOf(`${lineOf(target)}/${ticket}`), leave };
    this.#spot = spot;
    return true;
  }

  /** I was passed over, as one who did not react: back to the same place. */
  #comeBack(ticket: string): void {
    this.#inLine(() => putTicket(this.#target, ticket));
    if (!this.#spot) return;
    this.#spot.bell.close();
    this.#spot.bell = bellOf(`${lineOf(this.#target)}/${ticket}`);
  }

  /** Leaves the line and hands on a turn that may have been mine. */
  #stepAside(): void {
    if (!this.#spot) return;
    this.#spot.leave();
    if (!lookAt(this.#target.lock)) wakeNext(this.#target);
  }

  #inLine<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (['EACCES', 'EPERM'].includes(systemCode(error))) {
        this.#barred = true;
        return undefined;
      }
      throw ioError(this.#target.file, 'stand in line for', error);
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
      wakeNext(this.#target);
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
