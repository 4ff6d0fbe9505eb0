import type { Delivery } from '@holdfast/alert-delivery';
import type { AlertBook } from './alert-book.js';
import type { Fate, Happening } from './incident.js';
import { notificationData } from './notification.js';

/**
 * The notifications that the delivery store remembers, newest first, back to `since` (epoch milliseconds). The store is the
 * only place where alerts live: the book and the incident entries are derived from it.
 */
export async function* notificationsOf(delivery: Delivery, since: number, limit = 10_000): AsyncGenerator<Happening> {
  for await (const { id, acceptedAt } of delivery.recent(limit)) {
    if (acceptedAt < since) return;
    const timeline = await delivery.explain(id);
    const data = notificationData(timeline?.alert?.data);
    if (timeline && data?.kind === 'webhook')
      yield { id, acceptedAt, payload: data.payload, fate: fateOf(timeline.outcome) };
  }
}

/** Brings `book` up to what the store knows, and tells `each` of what was found. Safe to run while new alerts come in. */
export async function catchUp(
  book: AlertBook,
  delivery: Delivery,
  since: number,
  each: (happening: Happening) => void,
): Promise<void> {
  for await (const happening of notificationsOf(delivery, since)) {
    book.apply(happening);
    each(happening);
  }
}

function fateOf(outcome: { status: string; channel?: string } | undefined): Fate {
  if (outcome?.status === 'delivered' && outcome.channel !== undefined) return { channel: outcome.channel };
  return outcome?.status === 'dead' ? { dead: true } : { pending: true };
}
