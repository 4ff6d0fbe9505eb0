import type { Clock } from '@holdfast/clock';
import type { LeaseLossReason } from './errors.js';
import type { MaybePromise } from './store.js';

/** How long leases and runs last, on which clock. */
export interface LeaseTimes {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly maxRunMs: number;
}

/** Who holds a lease. */
export interface LeaseHolder {
  /** When the claim was sent, monotonic: the store's lease can't have begun earlier. */
  readonly claimedAt: number;
  /** Only for {@link Leases}: it is in its list of young ones. */
  young: boolean;
  before: LeaseHolder | undefined;
  after: LeaseHolder | undefined;
  /** Only for {@link Leases}: ends its renewal. */
  stop: (() => void) | undefined;
  renew(): MaybePromise<boolean>;
  /** The run should stop; its lease is not renewed any more. Called at most once, before or with `onLost`. */
  onEnding(reason: LeaseLossReason): void;
  /** The lease has ended, others may own the key. Called at most once. */
  onLost(reason: LeaseLossReason): void;
}

/**
 * The leases of one instance. Most runs end long before their first renewal, so a lease gets a timer of its own only when
 * it is a sixth of its length old; until then one timer looks after all, in a list that a holder enters and leaves for next
 * to nothing.
 */
export class Leases {
  readonly #times: LeaseTimes;
  /** The young ones, in the order in which they were taken. */
  #first: LeaseHolder | undefined;
  #last: LeaseHolder | undefined;
  #armed = false;

  constructor(times: LeaseTimes) {
    this.#times = times;
  }

  hold(holder: LeaseHolder): void {
    holder.young = true;
    holder.before = this.#last;
    if (this.#last) this.#last.after = holder;
    else this.#first = holder;
    this.#last = holder;
    if (!this.#armed) this.#arm();
  }

  /** Stops renewing it; nothing is called any more. */
  drop(holder: LeaseHolder): void {
    if (holder.young) return this.#unlink(holder);
    holder.stop?.();
    holder.stop = undefined;
  }

  #unlink(holder: LeaseHolder): void {
    const { before, after } = holder;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    holder.before = undefined;
    holder.after = undefined;
    holder.young = false;
  }

  #arm(): void {
    this.#armed = true;
    this.#times.clock.schedule(this.#times.leaseMs / 6, () => this.#look());
  }

  #look(): void {
    const now = this.#times.clock.monotonic();
    for (let holder = this.#first; holder; holder = this.#first) {
      if (now - holder.claimedAt < this.#times.leaseMs / 6) break;
      this.#unlink(holder);
      holder.stop = keepLease(this.#times, holder);
    }
    this.#armed = false;
    if (this.#first) this.#arm();
  }
}

/**
 * Renews a lease at a third of its length until stopped, after a failure each tenth. Gives up when a renewal is refused,
 * when no renewal succeeded before the lease's end as its owner counts it, or at the lease's end after `maxRunMs`.
 */
function keepLease({ clock, leaseMs, maxRunMs }: LeaseTimes, holder: LeaseHolder): () => void {
  const { claimedAt } = holder;
  let until = claimedAt + leaseMs;
  let ending: LeaseLossReason | undefined;
  let stopped = false;
  let cancel = (): void => undefined;

  const lose = (reason: LeaseLossReason): void => {
    stopped = true;
    cancel();
    holder.onEnding(reason);
    holder.onLost(reason);
  };
  const arm = (waitMs = leaseMs / 3): void => {
    const now = clock.monotonic();
    const tooLong = claimedAt + maxRunMs;
    const next = ending ? until : Math.min(now + waitMs, until, tooLong);
    cancel = clock.schedule(Math.max(0, next - now), tick);
  };
  const tick = (): void => {
    const now = clock.monotonic();
    if (now >= until) return lose(ending ?? 'lease-ended');
    if (!ending && now >= claimedAt + maxRunMs) {
      ending = 'ran-too-long';
      holder.onEnding(ending);
    }
    if (stopped) return;
    arm();
    // Whole milliseconds, as the memory store counts.
    if (!ending) void renew(Math.floor(now));
  };
  const renew = async (sentAt: number): Promise<void> => {
    let kept: boolean;
    try {
      kept = await holder.renew();
    } catch {
      // The store's failure is evented by the caller; `until` bounds the tries.
      if (stopped || ending) return;
      cancel();
      arm(leaseMs / 10);
      return;
    }
    if (stopped) return;
    if (!kept) lose('renewal-refused');
    else until = Math.max(until, sentAt + leaseMs);
  };
  arm(claimedAt + leaseMs / 3 - clock.monotonic());
  return () => {
    stopped = true;
    cancel();
  };
}
