import type { Parcel } from './parcel.js';
import type { Work } from './store.js';

/** What a resolved notice does about a firing of the same `dedupKey` that is on its way. */
export type Meeting =
  /** There is none. */
  | { readonly kind: 'go' }
  /** Nothing of it was sent: both become one message, in its place. */
  | { readonly kind: 'join'; readonly firing: Parcel }
  /** It may have been sent: the notice must not overtake it. */
  | { readonly kind: 'wait'; readonly firing: Parcel };

/** Firings on their way, by `dedupKey`, so that a resolved notice never overtakes the firing that it is about. */
export class Resolving {
  readonly #firings = new Map<string, Set<Parcel>>();
  readonly #keys = new Map<Parcel, readonly string[]>();

  /** The parcel has set out, or carries more than it did. */
  add(parcel: Parcel): void {
    if (!parcel.works.some(hasFiringKey)) return;
    const keys = firingKeys(parcel);
    this.#keys.set(parcel, keys);
    for (const key of keys) {
      const parcels = this.#firings.get(key) ?? new Set();
      this.#firings.set(key, parcels.add(parcel));
    }
  }

  /** The parcel has arrived, or is given up. */
  remove(parcel: Parcel): void {
    const keys = this.#keys.get(parcel);
    if (!keys) return;
    for (const key of keys) {
      const parcels = this.#firings.get(key);
      parcels?.delete(parcel);
      if (parcels?.size === 0) this.#firings.delete(key);
    }
    this.#keys.delete(parcel);
  }

  /** Decides for a parcel that is about to set out. A critical alert, and what was sent or begun, is never folded away. */
  meet(parcel: Parcel): Meeting {
    const { status, dedupKey } = parcel.alert;
    if (status !== 'resolved' || dedupKey === undefined) return { kind: 'go' };
    // Only what came before: two that wait for each other would wait for ever.
    let firing: Parcel | undefined;
    for (const other of this.#firings.get(dedupKey) ?? [])
      if (other !== parcel && other.order < parcel.order && !(firing && firing.order > other.order)) firing = other;
    if (!firing) return { kind: 'go' };
    const join =
      !firing.critical && !parcel.critical && firing.durable && parcel.durable && firing.routeKey === parcel.routeKey;
    return { kind: join && firing.neverSent && parcel.neverSent ? 'join' : 'wait', firing };
  }
}

function hasFiringKey({ record: { alert } }: Work): boolean {
  return alert.dedupKey !== undefined && alert.status !== 'resolved';
}

function firingKeys(parcel: Parcel): string[] {
  return parcel.works.filter(hasFiringKey).map(({ record }) => record.alert.dedupKey!);
}
