import type { Clock } from '@holdfast/clock';
import { type Alert, type StoredAlert, storedAlert } from './alert.js';
import type { Dispatch } from './dispatch.js';
import { DeliveryError, isDeliveryError, reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';
import type { Outcome } from './life.js';
import type { Entry, Room } from './room.js';
import { bytesOf, noteBytes } from './sizes.js';
import type { DeliveryStore, Work } from './store.js';
import type { Waiters } from './waiters.js';

/** What became of an alert at the door. `outcome` is there only when it was sent because the store could not take it. */
export interface Admitted {
  readonly id: string;
  readonly duplicate: boolean;
  readonly outcome?: Outcome;
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
  async admit(input: Alert, wait: boolean): Promise<Admitted> {
    const { room, dispatch } = this.#with;
    const alert = checked(input);
    const { id } = alert;
    const entry = await room.enter(alert);
    // Who came before the close and had room is accepted; who still waits is told.
    if (entry === 'closed') throw closedError();
    const before = this.#undurable.get(id);
    if (before) {
      room.leave(bytesOf(alert));
      await before;
      return { id, duplicate: true, outcome: { status: 'coalesced', id, into: id, durable: false } };
    }
    const stored = this.#store(alert, entry, wait);
    // A close waits for what it finds half accepted: the store must not be closed under it.
    dispatch.track(stored);
    return await stored;
  }

  async #store(alert: StoredAlert, entry: Entry, wait: boolean): Promise<Admitted> {
    const { store, clock, room, dispatch, emit } = this.#with;
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
    if (accepted.work) dispatch.start(accepted.work, entry === 'fold');
    return { id, duplicate: false };
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

/** The alert alone: who waits for room must not hold its JSON, too. */
function checked(input: Alert): StoredAlert {
  const { alert, json } = storedAlert(input);
  noteBytes(alert, json.length);
  return alert;
}

/** What `accept` and `notify` reject with once closing has begun. */
export function closedError(): DeliveryError {
  return new DeliveryError('DELIVERY_CLOSED', 'delivery is closed: it accepts nothing more');
}
