import type { Clock } from '@holdfast/clock';
import type { LeaseLossReason } from './errors.js';
import type { MaybePromise } from './store.js';

/** What keeping a lease needs. Times on the monotonic clock. */
export interface LeaseTerms {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly maxRunMs: number;
  /** When the claim was sent: the store's lease can't have begun earlier. */
  readonly claimedAt: number;
  renew(): MaybePromise<boolean>;
  /** The run should stop; its lease is not renewed any more. Called at most once, before or with `onLost`. */
  onEnding(reason: LeaseLossReason): void;
  /** The lease has ended, others may own the key. Called at most once. */
  onLost(reason: LeaseLossReason): void;
}

/**
 * Renews a lease at a third of its length until stopped, after a failure each tenth. Gives up when a renewal is refused, when no renewal succeeded
 * before the lease's end as its owner counts it, or at the lease's end after `maxRunMs`.
 */
export function keepLease(terms: LeaseTerms): () => void {
  const { clock, leaseMs, maxRunMs, claimedAt } = terms;
  let until = claimedAt + leaseMs;
  let ending: LeaseLossReason | undefined;
  let stopped = false;
  let cancel = (): void => undefined;

  const lose = (reason: LeaseLossReason): void => {
    stopped = true;
    cancel();
    terms.onEnding(reason);
    terms.onLost(reason);
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
      terms.onEnding(ending);
    }
    if (stopped) return;
    arm();
    if (!ending) void renew(now);
  };
  const renew = async (sentAt: number): Promise<void> => {
    let kept: boolean;
    try {
      kept = await terms.renew();
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
  arm();
  return () => {
    stopped = true;
    cancel();
  };
}
