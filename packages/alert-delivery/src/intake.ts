import type { Clock } from '@holdfast/clock';
import { type Alert, type StoredAlert, storedAlert } from './alert.js';
import type { Dispatch } from './dispatch.js';
import { DeliveryError, isDeliveryError, reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';
import type { Outcome } from './life.js';
import type { Entry, Room } from './room.js';
import { bytesOf } from './sizes.js';
import type { DeliveryStore, Work } from './store.js';
import type { Waiter, Waiters } from './waiters.js';

/** What became of an alert at the door. */
export interface Admitted {
  readonly id: string;
  readonly duplicate: boolean;
  /** How it ended: only where it was sent because the store could not take it. */
  readonly outcome?: Outcome;
  /** Tells how it ends: only where it is new and the caller waits. */
  readonly waiter?: Waiter;
}

/** How many ids of alerts that the store could not take are remembered, so that a retry of one is not sent twice. */
const MAX_UNDURABLE_IDS = 10_000;

/** What {@link Intake} works with. */
interface Surroundings {
  readonly store: DeliveryStore;
  readonly clock: Clock;
  readonly room: Room;
  readonly dispatch: Dispatch;
  readonly waiters: Waiters;
  readonly emit: (event: DeliveryEvent) => void;
}

/** Makes alerts durable, or sends them all the same where the store can't write. */
export class Intake {
  readonly #with: Surroundings;
  /** How those ended, or will, so that a second copy is told the same. */
  readonly #undurable = new Map<string, Promise<Outcome>>();
  /** Sent while the store could not write. */
  undurable = 0;

  constructor(surroundings: Surroundings) {
    this.#with = surroundings;
  }

  /** `wait`: the caller waits for the end and is told of a death, instead of an error, when nothing could be stored. */
  admit(input: Alert, wait: boolean): Promise<Admitted> {
    const alert = storedAlert(input);
    const entry = this.#with.room.enter(alert);
    return typeof entry === 'string' ? this.#enter(alert, entry, wait) : this.#enterLater(alert, entry, wait);
  }

  async #enterLater(alert: StoredAlert, entry: Promise<Entry>, wait: boolean): Promise<Admitted> {
    return await this.#enter(alert, await entry, wait);
  }

  #enter(alert: StoredAlert, entry: Entry, wait: boolean): Promise<Admitted> {
    // Who came before the close and had room is accepted; who still waits is told.
    if (entry === 'closed') throw closedError();
    const before = this.#undurable.get(alert.id);
    if (before) {
      this.#with.room.leave(bytesOf(alert));
      return this.#sameAs(before, alert.id);
    }
    const stored = this.#store(alert, entry, wait);
    // A close waits for what it finds half accepted: the store must not be closed under it.
    this.#with.dispatch.track(stored);
    return stored;
  }

  /** A second copy of an alert that the store could not take ends as the first one does. */
  async #sameAs(before: Promise<Outcome>, id: string): Promise<Admitted> {
    await before;
    return { id, duplicate: true, outcome: { status: 'coalesced', id, into: id, durable: false } };
  }

  async #store(alert: StoredAlert, entry: Entry, wait: boolean): Promise<Admitted> {
    const { store, clock, room, dispatch, waiters, emit } = this.#with;
    const { id } = alert;
    const at = clock.now();
    let accepted: { duplicate: boolean; work?: Work };
    try {
      accepted = await store.accept(alert, at, { held: true });
    } catch (error) {
      room.leave(bytesOf(alert));
      if (isDeliveryError(error, 'DELIVERY_INVALID_ALERT')) throw error;
      emit({ type: 'store.failed', during: 'accept', reason: reasonOf(error) });
      return { id, duplicate: false, outcome: await this.#sendUndurable(alert, at, error, wait) };
    }
    if (accepted.duplicate) {
      room.leave(bytesOf(alert));
      emit({ type: 'alert.duplicate', id });
      return { id, duplicate: true };
    }
    emit({ type: 'alert.accepted', id, severity: alert.severity, durable: true });
    if (!accepted.work) return { id, duplicate: false };
    // Waits before it sets out: its end can not be missed, and nobody has to look it up.
    const waiter = wait ? waiters.next(id) : undefined;
    dispatch.start(accepted.work, entry === 'fold');
    return waiter ? { id, duplicate: false, waiter } : { id, duplicate: false };
  }

  /** The store can't write: the alert is sent all the same. Who only accepts must hear of it unless a channel took it. */
  async #sendUndurable(alert: StoredAlert, at: number, cause: unknown, wait: boolean): Promise<Outcome> {
    const { dispatch, waiters, emit } = this.#with;
    const { id, severity } = alert;
    // Another copy that came at the same time is on its way already.
    const before = this.#undurable.get(id);
    if (before) return await before;
    this.undurable++;
    const { ended } = waiters.next(id);
    emit({ type: 'alert.accepted', id, severity, durable: false });
    dispatch.sendUndurable({ hold: { id, token: '' }, record: { id, acceptedAt: at, alert, events: [] } });
    const taken = ended.then((outcome) => {
      if (outcome.status === 'delivered' || outcome.status === 'coalesced') return outcome;
      this.#undurable.delete(id);
      throw new DeliveryError(
        'DELIVERY_STORE_FAILED',
        `alert '${id}' could neither be stored (${reasonOf(cause)}) nor delivered`,
        { kind: 'write', cause },
      );
    });
    taken.catch(() => undefined);
    this.#undurable.set(id, taken);
    if (this.#undurable.size > MAX_UNDURABLE_IDS) this.#undurable.delete(this.#undurable.keys().next().value!);
    const outcome = wait ? await ended : undefined;
    return outcome?.status === 'dead' ? outcome : await taken;
  }
}

/** What `accept` and `notify` reject with once closing has begun. */
export function closedError(): DeliveryError {
  return new DeliveryError('DELIVERY_CLOSED', 'delivery is closed: it accepts nothing more');
}
