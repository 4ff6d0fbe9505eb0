import type { DeliveryEvent } from './events.js';
import type { Counts } from './store.js';

/** accepted = delivered + coalesced + dead + pending + evicted. */
export function lawHolds(counts: Counts): boolean {
  const { accepted, delivered, coalesced, dead, pending, evicted } = counts;
  return accepted === delivered + coalesced + dead + pending + evicted;
}

/** Returns a check that tells of a violation when it begins, not each time it is looked at. */
export function lawWatch(emit: (event: DeliveryEvent) => void): (counts: Counts) => boolean {
  let told = false;
  return (counts) => {
    const holds = lawHolds(counts);
    if (!holds && !told) emit({ type: 'law.violated', ...counts });
    told = !holds;
    return holds;
  };
}
