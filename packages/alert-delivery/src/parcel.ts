import type { StoredAlert } from './alert.js';
import { isEnd, type LifeEvent, type Progress, progressOf } from './life.js';
import { Stop, type StopSignal } from './stop.js';
import type { DeliveryStore, Work } from './store.js';

/** Who is told what happens to the holds of a parcel. */
export interface ParcelOwner {
  readonly store: DeliveryStore;
  onLost(lost: readonly Work[]): void;
  onStoreFailed(error: unknown): void;
}

let arrivals = 0;

/**
 * One message on its way: the alert it is for, or the alerts when it is a digest. Everything that happens to the message
 * happened to each of them, so events are written once for all.
 */
export class Parcel {
  /** Whom the message stands for. Empty for what is not accounted, such as a self-alert. */
  works: Work[];
  alert: StoredAlert;
  readonly critical: boolean;
  /** What happened in this life of the parcel. */
  readonly log: LifeEvent[] = [];
  /** Aborts when delivery closes: nothing more is begun, attempts in flight are told to stop. */
  readonly controller = new Stop();
  /** False once the store could not write: it is sent all the same, and the outcome says so. */
  durable: boolean;
  /** A send that was given up has succeeded after all. */
  landed: { channel: string; attempt: number; ms: number } | undefined;
  /** Called once when `landed` is set, to end a pause. */
  onLanded: (() => void) | undefined;
  digestId: string | undefined;
  /** Who waits until the parcel has ended, in whatever way. */
  #onEnd: (() => void)[] | undefined;
  /** Where it stands in the order of arrival; with others folded in, the first of them. */
  order = ++arrivals;
  /** The names of its route: only parcels that go the same way are folded. */
  routeKey = '';
  readonly #owner: ParcelOwner;
  readonly #accounted: boolean;
  #buffer: LifeEvent[] = [];
  #writing: Promise<void> | undefined;

  constructor(works: Work[], alert: StoredAlert, durable: boolean, owner: ParcelOwner) {
    this.works = works;
    this.#accounted = works.length > 0;
    this.alert = alert;
    this.critical = alert.severity === 'critical';
    this.durable = durable;
    this.#owner = owner;
  }

  /** Resolves when the parcel has ended, in whatever way, or when `stop` aborts. */
  whenEnded(stop: StopSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop.removeEventListener('abort', done);
        resolve();
      };
      if (stop.aborted) return resolve();
      stop.addEventListener('abort', done, { once: true });
      this.#onEnd ??= [];
      this.#onEnd.push(done);
    });
  }

  /** Tells who waits in `whenEnded`. */
  tellEnd(): void {
    for (const done of this.#onEnd?.splice(0) ?? []) done();
  }

  /** The alerts that the parcel stands for. None for what is not accounted. */
  get ids(): string[] {
    return this.works.map((work) => work.hold.id);
  }

  /** Nothing of this message, or of the alerts in it, may have left the process. */
  get neverSent(): boolean {
    const sent = (events: readonly LifeEvent[]): boolean => events.some((event) => event.type === 'started');
    return !sent(this.log) && !this.works.some((work) => sent(work.record.events));
  }

  /** What the next attempt needs to know of the past ones, those of other processes included. */
  progress(): Progress {
    // Of a digest made just now only the common log counts; a digest is never recovered, its members are, one by one.
    const before = this.digestId === undefined ? this.works[0]?.record.events : undefined;
    return progressOf(before === undefined || before.length === 0 ? this.log : [...before, ...this.log]);
  }

  /** Notes an event without waiting for the disk. Order is kept; what is noted or written in the same turn goes along. */
  note(event: LifeEvent): void {
    this.log.push(event);
    this.#buffer.push(event);
    this.#writing ??= Promise.resolve().then(() => this.#drain());
  }

  /** Writes an event, and what was noted before it. Never rejects: `durable` and `lost` say how it went. */
  write(event: LifeEvent): Promise<void> {
    this.log.push(event);
    this.#buffer.push(event);
    this.#writing ??= this.#drain();
    return this.#writing;
  }

  /** Others have all of its alerts: nothing more is to be done for them here. */
  get lost(): boolean {
    return this.#accounted && this.works.length === 0;
  }

  /** The events of one member, from its acceptance. */
  eventsOf(work: Work): LifeEvent[] {
    return [...work.record.events, ...this.log];
  }

  /** Takes the members of other parcels in: from now on this message stands for them too. */
  absorb(others: readonly Parcel[], alert: StoredAlert, digestId: string): void {
    const own = this.works.map((work) => withEvents(work, this.eventsOf(work)));
    const theirs = others.flatMap((other) => other.works.map((work) => withEvents(work, other.eventsOf(work))));
    this.works = [...own, ...theirs];
    for (const other of others) {
      this.order = Math.min(this.order, other.order);
      other.#writeRest();
      other.works = [];
      if (!other.durable) this.durable = false;
    }
    this.log.length = 0;
    this.alert = alert;
    this.digestId = digestId;
  }

  /** Sends what is noted to the store now, behind what is being written: the members are about to leave. */
  #writeRest(): void {
    const events = this.#buffer.splice(0);
    if (events.length === 0 || !this.durable || this.works.length === 0) return;
    const holds = this.works.map((work) => work.hold);
    // Who was lost is found out again at the next write, by the parcel that they go to.
    this.#owner.store.record(holds, events).catch((error: unknown) => this.#owner.onStoreFailed(error));
  }

  #lose(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const gone = new Set(ids);
    const left = this.works.filter((work) => gone.has(work.hold.id));
    this.works = this.works.filter((work) => !gone.has(work.hold.id));
    this.#owner.onLost(left);
  }

  /** Whose acceptance is not durable has no place in the store for its events. */
  get #canWrite(): boolean {
    return this.durable && this.works.length > 0;
  }

  /** Writes all that is noted. It waits at least once, whatever happens, so that `#writing` is set before it is cleared. */
  async #drain(): Promise<void> {
    while (this.#buffer.length > 0) {
      const events = this.#buffer;
      this.#buffer = [];
      if (!this.#canWrite) {
        await Promise.resolve();
        continue;
      }
      try {
        // An end closes the alert: what came before it in the same batch goes along, nothing may follow it.
        const end = events.findIndex(isEnd);
        const batch = end === -1 ? events : events.slice(0, end + 1);
        const holds = this.works.map((work) => work.hold);
        // In slices, so that a digest of thousands neither holds the event loop nor all their texts at once.
        for (let at = 0; at < holds.length; at += SLICE)
          this.#lose(await this.#owner.store.record(holds.slice(at, at + SLICE), batch));
      } catch (error) {
        await Promise.resolve();
        this.durable = false;
        this.#owner.onStoreFailed(error);
      }
    }
    // In the same turn as the last look at the buffer: what is noted after this is written anew.
    this.#writing = undefined;
  }
}

/** Alerts of a digest whose events are written at a time. */
const SLICE = 250;

function withEvents(work: Work, events: readonly LifeEvent[]): Work {
  return { hold: work.hold, record: { ...work.record, events } };
}
