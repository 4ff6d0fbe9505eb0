import type { Clock } from '@holdfast/clock';
import type { Dispatch } from './dispatch.js';
import { reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';
import { progressOf } from './life.js';
import type { Room } from './room.js';
import type { DeliveryStore } from './store.js';

/** How often a shared store is asked for work that others left, and holds are renewed. */
const POLL_MS = 1000;
/** Alerts taken over at a time: research/mongodb measured one conflict with 64, thousands with one. */
export const CLAIM_MAX = 64;

/**
 * Keeps the leases of what is on its way here, takes over what others left while there is room, and brings the counts up to
 * date, once a second. Returns its end.
 */
export function shareWork(options: {
  store: DeliveryStore;
  clock: Clock;
  room: Room;
  dispatch: Dispatch;
  emit: (event: DeliveryEvent) => void;
}): () => void {
  const { store, clock, room, dispatch, emit } = options;
  let over = false;
  let cancel: (() => void) | undefined;
  const look = async (): Promise<void> => {
    try {
      await store.renew(dispatch.holds());
      const free = Math.min(CLAIM_MAX, room.free);
      for (const work of free > 0 && !over ? await store.claim(free) : []) {
        const maybeRepeat = progressOf(work.record.events).maybeArrived.size > 0;
        emit({ type: 'alert.recovered', id: work.hold.id, maybeRepeat });
        dispatch.resume(work);
      }
      await store.refresh();
    } catch (error) {
      emit({ type: 'store.failed', during: 'poll', reason: reasonOf(error) });
    }
    if (!over) cancel = clock.schedule(POLL_MS, () => void look());
  };
  cancel = clock.schedule(POLL_MS, () => void look());
  return () => {
    over = true;
    cancel?.();
  };
}
