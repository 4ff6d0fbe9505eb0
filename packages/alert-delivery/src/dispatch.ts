import type { StoredAlert } from './alert.js';
import { walk } from './courier.js';
import { callHook } from './critical-hook.js';
import { letterOf } from './dead-letter.js';
import { reasonOf } from './errors.js';
import { fold } from './fold.js';
import { Grouping } from './grouping.js';
import { type Outcome, outcomeOf } from './life.js';
import type { mirror } from './mirror.js';
import { type FullOptions, type FullStep, fullSteps } from './options.js';
import { Parcel } from './parcel.js';
import type { Post, WalkEnd } from './post.js';
import { Resolving } from './resolving.js';
import type { Room } from './room.js';
import { bytesOf } from './sizes.js';
import type { Counts, DeliveryStore, Work } from './store.js';
import type { Waiters } from './waiters.js';

/** What {@link Dispatch} works with. */
interface Surroundings {
  readonly options: FullOptions;
  readonly store: DeliveryStore;
  readonly post: Post;
  readonly room: Room;
  readonly waiters: Waiters;
  readonly mirror: ReturnType<typeof mirror> | undefined;
  readonly checkLaw: (counts: Counts) => boolean;
}

/** Of a digest: members that are told of at a time, so that the event loop is not held. */
const TOLD_AT_ONCE = 250;

/** Sends alerts that are in the store on their way and tells everybody how each ended. */
export class Dispatch {
  readonly #with: Surroundings;
  readonly #grouping: Grouping;
  readonly #resolving = new Resolving();
  readonly #parcels = new Set<Parcel>();
  /** Ids of what is on its way here. */
  readonly #here = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();
  /** Set once closing has given up waiting: what is stored after that stays in the store. */
  #stopped: Error | undefined;

  constructor(surroundings: Surroundings) {
    this.#with = surroundings;
    const { options, post, room } = surroundings;
    this.#grouping = new Grouping({
      clock: options.clock,
      windowMs: options.group?.windowMs,
      digestId: post.digestId,
      emit: post.emit,
      send: (parcel, folded) => {
        this.#resolving.add(parcel);
        for (const other of folded) this.#gone(other);
        this.#run(parcel, false);
      },
    });
    room.onRoomToFold = () => this.#grouping.sendOverflow();
  }

  /** Takes an alert that has room already. `fold`: it came in past the bound, to be a part of the next message. */
  start(work: Work, fold = false): void {
    const parcel = this.#parcel([work], true);
    this.#resolving.add(parcel);
    if (fold) {
      this.#grouping.overflow(parcel);
      this.#with.room.waitToFold();
    } else if (!this.#grouping.takes(parcel)) this.#run(parcel, false);
  }

  /** The parcel has taken the alerts of others in. */
  carries(parcel: Parcel): void {
    this.#resolving.add(parcel);
  }

  /** Takes an alert that did not come through `accept`: it exists already, and must not wait for room. */
  resume(work: Work): void {
    this.#with.room.take(bytesOf(work.record.alert));
    this.start(work);
  }

  /** Sends an alert that the store can not take. */
  sendUndurable(work: Work): void {
    this.#run(this.#parcel([work], false), true);
  }

  /** Sends what is not accounted for, such as a self-alert, along `route`. */
  async sendApart(alert: StoredAlert, route: readonly FullStep[]): Promise<WalkEnd> {
    const parcel = new Parcel({
      works: [],
      durable: true,
      alert,
      store: this.#with.store,
      onLost: () => undefined,
      onStoreFailed: () => undefined,
    });
    this.#parcels.add(parcel);
    if (this.#stopped) parcel.controller.abort(this.#stopped);
    const walking = walk(parcel, route, this.#with.post).finally(() => this.#parcels.delete(parcel));
    this.track(walking);
    return await walking;
  }

  /** Counts a promise as on its way until it settles. */
  track(promise: Promise<unknown>): void {
    const running = promise.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** The leases to prolong. */
  holds(): Work['hold'][] {
    return [...this.#parcels, ...this.#grouping.parcels()].flatMap((parcel) => parcel.works.map((work) => work.hold));
  }

  isHere(id: string): boolean {
    return this.#here.has(id);
  }

  /** Sends what waits to be grouped. */
  sendWaiting(): void {
    this.#grouping.sendAll();
  }

  /** Resolves when all that is on its way now has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running]);
  }

  /** Resolves when nothing is on its way any more, what was begun meanwhile included. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await this.settled();
  }

  /** Nothing more is begun; attempts under way are told to stop. */
  stop(reason: Error): void {
    this.#stopped = reason;
    for (const parcel of [...this.#parcels]) parcel.controller.abort(reason);
  }

  routeOf(alert: StoredAlert): readonly FullStep[] {
    const { options, post } = this.#with;
    const { chain } = options;
    if (typeof chain !== 'function') return chain;
    try {
      return fullSteps(chain(alert));
    } catch (error) {
      // A route that can't be had is an empty one: the alert ends dead, with the critical hook, and is never lost.
      post.emit({ type: 'store.notice', name: 'chain.failed', reason: reasonOf(error) });
      return [];
    }
  }

  #parcel(works: Work[], durable: boolean): Parcel {
    const { store, post, room, waiters, options } = this.#with;
    const parcel = new Parcel({
      works,
      durable,
      alert: works[0]!.record.alert,
      store,
      onLost: (lost) => {
        for (const { hold, record } of lost) {
          post.emit({ type: 'hold.lost', id: hold.id });
          room.leave(bytesOf(record.alert));
          this.#here.delete(hold.id);
          waiters.watch(hold.id);
        }
      },
      onStoreFailed: (error) => post.emit({ type: 'store.failed', during: 'record', reason: reasonOf(error) }),
    });
    for (const { hold } of works) this.#here.add(hold.id);
    if (typeof options.chain === 'function') {
      parcel.routeKey = this.routeOf(parcel.alert)
        .map((step) => step.channel.name)
        .join('>');
    }
    return parcel;
  }

  #run(parcel: Parcel, undurable: boolean): void {
    this.#parcels.add(parcel);
    if (this.#stopped) parcel.controller.abort(this.#stopped);
    const running = this.#walk(parcel)
      .then((end) => this.#ended(parcel, end, undurable))
      .catch((error: unknown) =>
        this.#with.post.emit({ type: 'store.failed', during: 'delivery', reason: reasonOf(error) }),
      )
      .finally(() => {
        this.#parcels.delete(parcel);
        this.#gone(parcel);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  #gone(parcel: Parcel): void {
    this.#resolving.remove(parcel);
    parcel.tellEnd();
  }

  async #walk(parcel: Parcel): Promise<WalkEnd> {
    const { post } = this.#with;
    for (let meeting = this.#resolving.meet(parcel); meeting.kind !== 'go'; meeting = this.#resolving.meet(parcel)) {
      const { firing } = meeting;
      if (meeting.kind === 'join') {
        fold(firing, [parcel], '', post);
        return { kind: 'folded' };
      }
      await firing.whenEnded(parcel.controller.signal);
      if (parcel.controller.signal.aborted) return { kind: 'stopped' };
    }
    return await walk(parcel, this.routeOf(parcel.works[0]!.record.alert), post);
  }

  async #ended(parcel: Parcel, end: WalkEnd, undurable: boolean): Promise<void> {
    const { works } = parcel;
    const { room, store } = this.#with;
    // Who was folded into another parcel leaves with that one; who was lost on the way has left already.
    if (end.kind !== 'folded') {
      for (const work of works) {
        this.#here.delete(work.hold.id);
        if (!undurable) room.leave(bytesOf(work.record.alert));
      }
    }
    if (end.kind === 'stopped') {
      // Nobody else has what is not in the store: who waits for it must not wait for the close, which waits for them.
      if (undurable)
        for (const { hold } of works) this.#with.waiters.tell(hold.id, { status: 'journaled', id: hold.id });
      else await store.release(works.map((work) => work.hold)).catch(() => undefined);
    }
    if (end.kind !== 'ended') return;
    // Together: the lines of their dead letters then share one write and one fdatasync.
    for (let at = 0; at < works.length; at += TOLD_AT_ONCE)
      await Promise.all(works.slice(at, at + TOLD_AT_ONCE).map((work) => this.#tell(parcel, work)));
    this.#with.checkLaw(store.counts());
  }

  async #tell(parcel: Parcel, work: Work): Promise<void> {
    const { post, options, waiters } = this.#with;
    const { id } = work.hold;
    const outcome = outcomeOf(id, parcel.eventsOf(work), parcel.durable);
    if (!outcome) return;
    const { acceptedAt } = work.record;
    switch (outcome.status) {
      case 'delivered':
        post.emit({
          type: 'alert.delivered',
          id,
          channel: outcome.channel,
          attempts: outcome.attempts.length,
          ms: options.clock.now() - acceptedAt,
          late: outcome.late === true,
          durable: parcel.durable,
        });
        break;
      case 'coalesced':
        post.emit({ type: 'alert.coalesced', id, into: outcome.into });
        break;
      case 'dead':
        await this.#died(parcel, work, outcome);
        break;
      case 'journaled':
        break;
    }
    waiters.tell(id, outcome);
  }

  async #died(parcel: Parcel, work: Work, outcome: Extract<Outcome, { status: 'dead' }>): Promise<void> {
    const { post, options, mirror } = this.#with;
    const { alert, acceptedAt, id } = work.record;
    const { reason } = outcome;
    post.emit({ type: 'alert.dead', id, severity: alert.severity, reason, durable: parcel.durable });
    await mirror?.write(letterOf({ id, acceptedAt, events: parcel.eventsOf(work) }, alert));
    callHook(options.critical, { alert, reason, outcome }, (error) =>
      post.emit({ type: 'critical-hook.failed', id, reason: post.redact(reasonOf(error)) }),
    );
  }
}
