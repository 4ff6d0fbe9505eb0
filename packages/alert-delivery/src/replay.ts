import { sleep } from '@holdfast/backoff';
import type { Clock } from '@holdfast/clock';
import type { StoredAlert } from './alert.js';
import { SEVERITIES } from './alert.js';
import type { ReplayFilter } from './contract.js';
import type { Dispatch } from './dispatch.js';
import type { DeliveryEvent } from './events.js';
import { type AlertRecord, type Outcome, outcomeOf } from './life.js';
import type { DeliveryStore } from './store.js';
import type { Waiters } from './waiters.js';

type Letter = AlertRecord & { readonly alert: StoredAlert };

/**
 * Sends dead letters again, one after the other. Each is made pending and held in one step, so of two that replay at once,
 * in one process or two, only one sends it; a crash after that leaves it pending, marked as a possible repeat.
 */
export async function* replayed(
  filter: ReplayFilter,
  parts: {
    readonly store: DeliveryStore;
    readonly clock: Clock;
    readonly dispatch: Dispatch;
    readonly waiters: Waiters;
    readonly emit: (event: DeliveryEvent) => void;
    /** Throws once delivery is closing. */
    readonly assertOpen: () => void;
  },
): AsyncIterable<Outcome> {
  const { store, clock, dispatch, waiters, emit, assertOpen } = parts;
  assertOpen();
  let first = true;
  for (const id of await chosen(filter, store)) {
    assertOpen();
    if (filter.dryRun) {
      const record = await store.find(id);
      const outcome = record && outcomeOf(id, record.events);
      if (outcome?.status === 'dead') yield outcome;
      continue;
    }
    if (!first && filter.perSecond) await sleep(1000 / filter.perSecond, clock, { ref: true });
    first = false;
    assertOpen();
    const at = clock.now();
    const work = await store.revive(id, { type: 'replayed', at, ...(filter.asNew && { asNew: true }) }, { held: true });
    if (!work) continue;
    emit({ type: 'alert.replayed', id, asNew: filter.asNew === true });
    const waiter = waiters.next(id);
    dispatch.resume(work);
    try {
      yield await waiter.ended;
    } finally {
      waiter.cancel();
    }
  }
}

async function chosen(filter: ReplayFilter, store: DeliveryStore): Promise<readonly string[]> {
  const { order = 'oldest' } = filter;
  if (order === 'oldest') {
    const ids: string[] = [];
    for await (const { id } of store.dead(filter)) ids.push(id);
    return ids;
  }
  // The limit is of those that come first in this order.
  const letters: { id: string; rank: number }[] = [];
  const { limit, ...rest } = filter;
  for await (const letter of store.dead(rest)) letters.push({ id: letter.id, rank: rankOf(letter) });
  if (order === 'newest') letters.reverse();
  else letters.sort((a, b) => a.rank - b.rank);
  return letters.slice(0, limit ?? letters.length).map(({ id }) => id);
}

function rankOf(letter: Letter): number {
  return SEVERITIES.indexOf(letter.alert.severity);
}
