import type { Clock } from '@holdfast/clock';
import type { Admission, Ask, GateEvents } from './admission.js';
import { type BreakerState, breaker, CLOSED, refuses } from './breaker.js';
import type { FullStep } from './options.js';
import type { ChannelCondition } from './store.js';
import { clampWait, type Verdict, type VerdictKind } from './verdict.js';

interface Waiting<T> extends Omit<Ask<T>, 'foldKey'> {
  readonly foldKey: string | undefined;
  done: boolean;
  /** It had to wait because the channel asked for a pause, or for longer than the rate allows. */
  held: boolean;
  settle(admission: Admission<T>): void;
}

const NOBODY: readonly never[] = [];
/** What almost everybody is told: one object for all. */
const GO = { kind: 'go', probe: false, folded: NOBODY } as const;
const PROBE = { kind: 'go', probe: true, folded: NOBODY } as const;

/** Who waits is told in slices of so many, so that the event loop is not held. */
const REFUSED_AT_ONCE = 100;

/**
 * One channel's gate: the pause that the provider asked for, the breaker, the slots, the rate, and who waits. Everybody
 * who sends on the channel asks here before every attempt, so that a pause holds for all of them.
 */
export class ChannelGate<T> {
  readonly name: string;
  step: FullStep;
  /** Monotonic time of the last failure, for the choice of whom to force. */
  lastFailedAtMs = Number.NEGATIVE_INFINITY;
  #clock: Clock;
  #events: GateEvents;
  #foldAbove: number;
  #breaker: BreakerState = CLOSED;
  #throttledUntil = Number.NEGATIVE_INFINITY;
  #nextStart = Number.NEGATIVE_INFINITY;
  #active = 0;
  #critical: Waiting<T>[] = [];
  #normal: Waiting<T>[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(options: {
    step: FullStep;
    clock: Clock;
    foldAbove: number;
    events: GateEvents;
    condition?: ChannelCondition | undefined;
  }) {
    this.name = options.step.channel.name;
    this.step = options.step;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#foldAbove = options.foldAbove;
    const { condition } = options;
    if (!condition) return;
    const now = this.#clock.monotonic();
    const wall = this.#clock.now();
    if (condition.throttledUntil > wall) this.#throttledUntil = now + clampWait(condition.throttledUntil - wall);
    if (condition.openUntil > wall && this.step.breaker) {
      this.#breaker = {
        state: 'open',
        until: now + Math.min(condition.openUntil - wall, this.step.breaker.maxOpenMs),
        openMs: condition.openMs,
      };
    }
  }

  /** Whether the message may go, told at once where nobody has to wait. A promise never rejects. */
  ask(ask: Ask<T>): Admission<T> | Promise<Admission<T>> {
    if (ask.signal.aborted) return { kind: 'aborted' };
    const now = this.#clock.monotonic();
    if (!ask.force && this.step.breaker && refuses(this.#breaker, now)) return { kind: 'refused', why: 'breaker-open' };
    if (this.#isFree(now)) {
      const probe = this.#askBreaker(ask.force, now);
      if (probe !== 'wait') {
        this.#begin(now);
        return probe ? PROBE : GO;
      }
    }
    return this.#wait(ask);
  }

  /** Whoever asks now would be the next to go. */
  #isFree(now: number): boolean {
    return (
      this.#active < this.step.concurrency &&
      this.#throttledUntil <= now &&
      this.#nextStart <= now &&
      !first(this.#critical) &&
      !first(this.#normal)
    );
  }

  #wait(ask: Ask<T>): Promise<Admission<T>> {
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined;
      const onAbort = (): void => waiting.settle({ kind: 'aborted' });
      const waiting: Waiting<T> = {
        ...ask,
        foldKey: ask.foldKey(),
        done: false,
        held: false,
        settle: (admission) => {
          if (waiting.done) return;
          waiting.done = true;
          cancel?.();
          ask.signal.removeEventListener('abort', onAbort);
          resolve(admission);
        },
      };
      (ask.critical ? this.#critical : this.#normal).push(waiting);
      this.#pump();
      if (waiting.done) return;
      ask.signal.addEventListener('abort', onAbort, { once: true });
      if (Number.isFinite(ask.queueLimitMs)) {
        const left = Math.max(0, ask.queueLimitMs - this.#clock.monotonic());
        cancel = this.#clock.schedule(left, () => waiting.settle({ kind: 'refused', why: 'deadline' }), { ref: true });
      }
    });
  }

  /** An attempt that was let through has ended. */
  end(verdict: Verdict | 'delivered', probe: boolean): void {
    const now = this.#clock.monotonic();
    this.#active--;
    const kind = verdict === 'delivered' ? verdict : verdict.kind;
    if (kind !== 'delivered') this.lastFailedAtMs = now;
    if (verdict !== 'delivered' && verdict.kind === 'throttled') this.#throttle(verdict.retryAfterMs ?? 1000);
    this.#setBreaker({ type: 'ended', verdict: kind, probe }, kind);
    this.#pump();
  }

  /** An attempt that was let through was never made. */
  withdraw(probe: boolean): void {
    this.#active--;
    this.#setBreaker({ type: 'withdrawn', probe }, 'transient');
    this.#pump();
  }

  /** A send succeeded after it had been given up: the channel works. */
  lateSuccess(): void {
    this.#setBreaker({ type: 'ended', verdict: 'delivered', probe: false }, 'delivered');
    this.#pump();
  }

  stats(): { waiting: number; active: number; breaker: BreakerState['state']; throttledMs: number } {
    const waiting = this.#critical.length + this.#normal.length;
    const throttledMs = Math.max(0, Math.round(this.#throttledUntil - this.#clock.monotonic()));
    return { waiting, active: this.#active, breaker: this.#breaker.state, throttledMs };
  }

  close(): void {
    this.#cancelTimer?.();
    for (const waiting of [...this.#critical, ...this.#normal]) waiting.settle({ kind: 'aborted' });
  }

  #throttle(ms: number): void {
    const now = this.#clock.monotonic();
    const wait = clampWait(ms);
    if (now + wait <= this.#throttledUntil) return;
    this.#throttledUntil = now + wait;
    this.#events.throttled(wait);
    this.#changed();
  }

  #setBreaker(event: Parameters<typeof breaker>[1], why: 'delivered' | VerdictKind): void {
    const before = this.#breaker;
    // As almost always: it works, and it did before.
    if (this.step.breaker === false || (before === CLOSED && why === 'delivered')) return;
    const now = this.#clock.monotonic();
    this.#breaker = breaker(before, event, now, this.step.breaker).state;
    const after = this.#breaker;
    if (after === before) return;
    if (after.state === 'open') {
      this.#events.opened(Math.round(after.until - now), why === 'delivered' ? 'transient' : why);
      void this.#refuseAll();
      this.#changed();
    } else if (after.state === 'closed' && before.state !== 'closed') {
      this.#events.closed();
      this.#changed();
    }
  }

  /** Tells everybody who waits that the breaker is open, in slices: each goes on to its next step at once. */
  async #refuseAll(): Promise<void> {
    let settled = 0;
    for (const waiting of [...this.#critical, ...this.#normal]) {
      if (waiting.done || waiting.force) continue;
      if (this.#breaker.state !== 'open') return;
      waiting.settle({ kind: 'refused', why: 'breaker-open' });
      if (++settled % REFUSED_AT_ONCE === 0) await new Promise((resolve) => void setImmediate(resolve));
    }
  }

  #changed(): void {
    const toWall = (monotonic: number): number => Math.round(this.#clock.now() + monotonic - this.#clock.monotonic());
    const open = this.#breaker.state === 'open' ? this.#breaker : undefined;
    this.#events.changed({
      channel: this.name,
      throttledUntil: Number.isFinite(this.#throttledUntil) ? toWall(this.#throttledUntil) : 0,
      openUntil: open ? toWall(open.until) : 0,
      openMs: open?.openMs ?? 0,
    });
  }

  /** Lets through whom it may, refuses whom it must, and arms one timer for the rest. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (;;) {
      const waiting = first(this.#critical) ?? first(this.#normal);
      if (!waiting) return;
      const now = this.#clock.monotonic();
      if (this.#throttledUntil > now) {
        this.#hold(now);
        return;
      }
      if (this.#active >= this.step.concurrency) return;
      if (this.#nextStart > now) {
        const { perSecond = 0 } = this.step;
        if (this.#normal.length > Math.max(this.#foldAbove, perSecond * 10))
          for (const other of this.#normal) other.held = true;
        this.#arm(this.#nextStart - now);
        return;
      }
      const probe = this.#askBreaker(waiting.force, now);
      if (probe === 'wait') {
        if (waiting.force) return;
        waiting.settle({ kind: 'refused', why: 'breaker-open' });
        continue;
      }
      this.#grant(waiting, probe, now);
    }
  }

  /** While the channel asked for a pause, nothing goes. Who can't wait that long is told at once. */
  #hold(now: number): void {
    for (const waiting of [...this.#critical, ...this.#normal]) {
      if (waiting.throttleLimitMs < this.#throttledUntil) waiting.settle({ kind: 'refused', why: 'throttled' });
      else waiting.held = true;
    }
    if (first(this.#critical) ?? first(this.#normal)) this.#arm(this.#throttledUntil - now);
  }

  #arm(ms: number): void {
    this.#cancelTimer = this.#clock.schedule(ms, () => this.#pump(), { ref: true });
  }

  /** Whether the attempt is the probe; `wait` while another one is. */
  #askBreaker(force: boolean, now: number): boolean | 'wait' {
    let state = this.#breaker;
    if (this.step.breaker === false || state.state === 'closed') return false;
    if (force && state.state === 'open') state = { ...state, until: now };
    const asked = breaker(state, { type: 'asked' }, now, this.step.breaker);
    if (!asked.go) return 'wait';
    this.#breaker = asked.state;
    if (asked.probe) this.#events.probed();
    return asked.probe;
  }

  #begin(now: number): void {
    this.#active++;
    const { perSecond } = this.step;
    if (perSecond !== undefined) this.#nextStart = Math.max(now, this.#nextStart) + 1000 / perSecond;
  }

  #grant(waiting: Waiting<T>, probe: boolean, now: number): void {
    this.#begin(now);
    const folded: T[] = [];
    if (!waiting.critical && waiting.foldKey !== undefined && (waiting.held || waiting.force)) {
      const others = this.#normal.filter(
        (other) =>
          !other.done && other !== waiting && other.foldKey === waiting.foldKey && other.force === waiting.force,
      );
      if (others.length + 1 >= this.#foldAbove) {
        for (const other of others) {
          other.settle({ kind: 'folded' });
          folded.push(other.owner);
        }
      }
    }
    waiting.settle({ kind: 'go', probe, folded });
  }
}

/** The first that still waits; those before it are done and go. */
function first<T>(queue: Waiting<T>[]): Waiting<T> | undefined {
  let gone = 0;
  while (gone < queue.length && queue[gone]!.done) gone++;
  if (gone > 0) queue.splice(0, gone);
  return queue[0];
}
