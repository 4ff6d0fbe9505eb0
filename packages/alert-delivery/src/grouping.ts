import type { Clock } from '@holdfast/clock';
import { digestOf } from './digest.js';
import type { DeliveryEvent } from './events.js';
import type { Parcel } from './parcel.js';

/**
 * Parcels that wait to become one message: those with one `dedupKey` within the window, and those that came in while the
 * queue was full. Each is durable already; what a crash finds here is recovered alert by alert.
 */
export class Grouping {
  readonly #clock: Clock;
  readonly #windowMs: number | undefined;
  readonly #digestId: () => string;
  readonly #emit: (event: DeliveryEvent) => void;
  readonly #send: (parcel: Parcel, folded: readonly Parcel[]) => void;
  readonly #waiting = new Map<string, { parcels: Parcel[]; cancel: () => void }>();

  constructor(options: {
    clock: Clock;
    windowMs: number | undefined;
    digestId: () => string;
    emit: (event: DeliveryEvent) => void;
    /** Sends a parcel that carries the alerts of those folded into it. */
    send: (parcel: Parcel, folded: readonly Parcel[]) => void;
  }) {
    this.#clock = options.clock;
    this.#windowMs = options.windowMs;
    this.#digestId = options.digestId;
    this.#emit = options.emit;
    this.#send = options.send;
  }

  *parcels(): Iterable<Parcel> {
    for (const { parcels } of this.#waiting.values()) yield* parcels;
  }

  /** Takes the parcel if it is to wait for others like it. Critical ones never do. */
  takes(parcel: Parcel): boolean {
    const { dedupKey } = parcel.alert;
    if (this.#windowMs === undefined || parcel.critical || dedupKey === undefined) return false;
    const key = `${parcel.routeKey}\0${dedupKey}`;
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.parcels.push(parcel);
    else {
      const cancel = this.#clock.schedule(this.#windowMs, () => this.#sendGroup(key), { ref: true });
      this.#waiting.set(key, { parcels: [parcel], cancel });
    }
    return true;
  }

  /** Takes a parcel that came in past the bound: it becomes a part of the next message that finds room. */
  overflow(parcel: Parcel): void {
    const key = `\0${parcel.routeKey}`;
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.parcels.push(parcel);
    else this.#waiting.set(key, { parcels: [parcel], cancel: () => undefined });
  }

  /** Whether the parcel came in past the bound and waits to be folded. */
  waitsForRoom(parcel: Parcel): boolean {
    return this.#waiting.get(`\0${parcel.routeKey}`)?.parcels.includes(parcel) ?? false;
  }

  /** Sends what came in past the bound. */
  sendOverflow(): void {
    for (const key of [...this.#waiting.keys()]) if (key.startsWith('\0')) this.#sendGroup(key);
  }

  /** Sends all that waits, at once. */
  sendAll(): void {
    for (const key of [...this.#waiting.keys()]) this.#sendGroup(key);
  }

  #sendGroup(key: string): void {
    const group = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (!group) return;
    group.cancel();
    const [first, ...others] = group.parcels;
    if (others.length > 0) {
      const { alert } = first!;
      const id = this.#digestId();
      const records = group.parcels.flatMap((parcel) => parcel.works.map((work) => work.record));
      const { title, digest, ...rest } = digestOf(records, id);
      const alike = records.every(
        ({ alert: other }) =>
          other.status === alert.status && other.dedupKey !== undefined && other.title === alert.title,
      );
      // Of one thing that happened many times people want the text itself.
      const one = alike
        ? { ...alert, id, title: `${alert.title} (${records.length} times)`, digest: digest! }
        : { ...rest, title, digest: digest! };
      first!.absorb(others, Object.freeze(one), id);
      this.#emit({ type: 'digest.made', id, channel: '', count: records.length });
    }
    this.#send(first!, others);
  }
}
