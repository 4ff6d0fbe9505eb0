import { type Backoff, backoffMs, sleep } from '@holdfast/backoff';
import { messageOf } from './errors.js';
import { compareAll } from './mongo-compare.js';
import { CollectionGone } from './mongo-identity.js';
import type { Link } from './mongo-link.js';
import type { StoreContext } from './store.js';

/** A way to learn what other instances wrote. */
export interface Tail {
  readonly kind: 'stream' | 'poll';
  /** How old what is in memory may be, milliseconds, while catching up succeeds. */
  readonly lagMs: number;
  /** Between two times of catching up, milliseconds. */
  readonly pauseMs: number;
  /** Takes into memory what was written since the last time, or a good part of it when that is much. */
  catchUp(): Promise<void>;
  /** Takes into memory everything that was acknowledged before this call, however much is written meanwhile. */
  reach(): Promise<void>;
  /** Hears why catching up failed. True: what was missed is not in the history any more, everything must be compared. */
  failed(error: unknown): Promise<boolean>;
  close(): Promise<void>;
}

/** Everything is compared this often in the background, milliseconds: what hand-made changes or long transactions hid. */
const COMPARE_MS = 10 * 60 * 1000;
/**
 * After an absence longer than this, milliseconds, everything is compared: a deletion of that time may have been purged. An
 * hour, far below the seven days that a tombstone lives, because the clocks of a machine that slept can be wrong by much.
 */
const AWAY_MS = 60 * 60 * 1000;
const RETRY: Backoff = { minMs: 100, maxMs: 5_000, factor: 2 };

/** Keeps memory in step with the collection until `signal` aborts. Never rejects. */
export async function followChanges(
  tail: Tail,
  link: Link,
  context: StoreContext,
  checkIdentity: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = context;
  let compareDue = clock.monotonic() + COMPARE_MS;
  let mustCompare = false;
  let lastGood = { monotonic: clock.monotonic(), wall: clock.now() };
  let failures = 0;
  /** Losses of history since it was last followed without one: it backs off, however well everything else goes. */
  let losses = 0;
  const stop = (): void => void tail.close();
  signal.addEventListener('abort', stop, { once: true });

  const mustCompareBecause = (reason: string): void => {
    mustCompare = true;
    context.emit({ type: 'kb.history-lost', reason });
    if (link.up) context.health({ state: 'stale', lagMs: null });
  };

  while (!signal.aborted) {
    try {
      // The clocks of a suspended machine: the one may stand still, the other may jump.
      const away = Math.max(clock.monotonic() - lastGood.monotonic, clock.now() - lastGood.wall);
      if (away > AWAY_MS) mustCompareBecause(`nothing was heard for ${Math.round(away / 1000)} s`);
      await tail.catchUp();
      if (signal.aborted) break;
      if (mustCompare || clock.monotonic() >= compareDue) {
        await checkIdentity();
        const began = clock.monotonic();
        const found = await compareAll(link, context, { repair: true, signal });
        const changed = found.differing.length + found.missing.length + found.extra.length;
        if (mustCompare || changed > 0) {
          const ms = Math.round(clock.monotonic() - began);
          context.emit({ type: 'kb.reconciled', compared: found.compared, changed, ms });
        }
        mustCompare = false;
        compareDue = clock.monotonic() + COMPARE_MS;
      } else losses = 0;
      failures = 0;
      lastGood = { monotonic: clock.monotonic(), wall: clock.now() };
      if (link.up) context.health({ state: 'ready', lagMs: tail.lagMs });
      if (tail.pauseMs > 0) await sleep(tail.pauseMs, clock, { signal });
    } catch (error) {
      if (signal.aborted) break;
      const lost = await tail.failed(error);
      if (error instanceof CollectionGone) {
        link.lose(error);
        return context.health({ state: 'failed', cause: error });
      }
      if (lost) {
        losses++;
        mustCompareBecause(messageOf(error));
      }
      const retryInMs = Math.round(backoffMs(RETRY, Math.max(++failures, losses), () => 1));
      context.emit({ type: 'kb.tail-failed', reason: messageOf(error), retryInMs });
      if (link.up) context.health({ state: 'stale', lagMs: null, cause: error as Error });
      await sleep(retryInMs, clock, { signal }).catch(() => {});
    }
  }
  await tail.close();
}
