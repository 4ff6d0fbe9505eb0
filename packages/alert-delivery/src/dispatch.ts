import type { StoredAlert } from './alert.js';
import { walk } from './courier.js';
import { callHook } from './critical-hook.js';
import { letterOf } from './dead-letter.js';
import { reasonOf } from './errors.js';
import { fold } from './fold.js';
import { Grouping } from './grouping.js';
import { LateEnds } from './late-ends.js';
import { type Outcome, outcomeOf } from './life.js';
import type { mirror } from './mirror.js';
import { type FullOptions, type FullStep, fullSteps } from './options.js';
import { Parcel, type ParcelOwner } from './parcel.js';
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
  readonly #owner: ParcelOwner;
  readonly #lateEnds: LateEnds;
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
    const { store, waiters } = surroundings;
    this.#lateEnds = new LateEnds(store, options.clock, () => surroundings.checkLaw(store.counts()));
    this.#owner = {
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
    };
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
    const parcel = new Parcel([], alert, true, this.#owner);
    this.#parcels.add(parcel);
    if (this.#stopped) parcel.controller.abort(this.#stopped);
    const walking = walk(parcel, route, this.#with.post).finally(() => this.#parcels.delete(parcel));
    this.track(walking);
    return await walking;
  }

  /** Counts a promise as on its way until it settles. */
  track(promise: Promise<unknown>): void {
    this.#running.add(promise);
    const over = (): void => void this.#running.delete(promise);
    promise.then(over, over);
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
    await Promise.allSettled(this.#running);
  }

  /** Resolves when nothing is on its way any more, what was begun meanwhile included. For who closes: it ends what repeats. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await this.settled();
    await this.#lateEnds.close();
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
    const { options } = this.#with;
    const parcel = new Parcel(works, works[0]!.record.alert, durable, this.#owner);
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
    this.track(this.#carry(parcel, undurable));
  }

  /** From setting out to the end, and everybody is told. Never rejects. */
  async #carry(parcel: Parcel, undurable: boolean): Promise<void> {
    try {
      const end = await this.#walk(parcel);
      this.#leave(parcel, end, undurable);
      if (end.kind === 'ended' && !parcel.durable && !undurable) this.#lateEnds.add(parcel.works, end.end);
      const telling = end.kind === 'ended' ? this.#tellAll(parcel) : undefined;
      if (telling) await telling;
      if (end.kind === 'stopped') await this.#giveBack(parcel, undurable);
    } catch (error) {
      this.#with.post.emit({ type: 'store.failed', during: 'delivery', reason: reasonOf(error) });
    }
    this.#parcels.delete(parcel);
    this.#gone(parcel);
  }

  #gone(parcel: Parcel): void {
    this.#resolving.remove(parcel);
    parcel.tellEnd();
  }

  #walk(parcel: Parcel): Promise<WalkEnd> {
    const { alert } = parcel;
    if (alert.status === 'resolved' && alert.dedupKey !== undefined) return this.#walkBehind(parcel);
    return walk(parcel, this.routeOf(parcel.works[0]!.record.alert), this.#with.post);
  }

  /** A resolved notice: not before its firing. */
  async #walkBehind(parcel: Parcel): Promise<WalkEnd> {
    const { post } = this.#with;
    for (let meeting = this.#resolving.meet(parcel); meeting.kind !== 'go'; meeting = this.#resolving.meet(parcel)) {
      const { firing } = meeting;
      if (meeting.kind === 'join') {
        fold(firing, [parcel], '', post);
        return { kind: 'folded' };
      }
      if (this.#grouping.waitsForRoom(firing)) {
        // The room that it waits for may be taken by those who wait for it.
        this.#grouping.sendOverflow();
        continue;
      }
      await firing.whenEnded(parcel.controller.signal);
      if (parcel.controller.signal.aborted) return { kind: 'stopped' };
    }
    return await walk(parcel, this.routeOf(parcel.works[0]!.record.alert), post);
  }

  /** Who was folded into another parcel leaves with that one; who was lost on the way has left already. */
  #leave(parcel: Parcel, end: WalkEnd, undurable: boolean): void {
    if (end.kind === 'folded') return;
    for (const work of parcel.works) {
      this.#here.delete(work.hold.id);
      if (!undurable) this.#with.room.leave(bytesOf(work.record.alert));
    }
  }

  async #giveBack({ works }: Parcel, undurable: boolean): Promise<void> {
    const { store, waiters } = this.#with;
    // Nobody else has what is not in the store: who waits for it must not wait for the close, which waits for them.
    if (undurable) for (const { hold } of works) waiters.tell(hold.id, { status: 'journaled', id: hold.id });
    else await store.release(works.map((work) => work.hold)).catch(() => undefined);
  }

  #tellAll(parcel: Parcel): Promise<void> | undefined {
    const { works } = parcel;
    const telling = works.length === 1 ? this.#tell(parcel, works[0]!) : this.#tellMany(parcel);
    this.#with.checkLaw(this.#with.store.counts());
    return telling;
  }

  /** Together: the lines of their dead letters then share one write and one fdatasync. */
  async #tellMany(parcel: Parcel): Promise<void> {
    const { works } = parcel;
    for (let at = 0; at < works.length; at += TOLD_AT_ONCE)
      await Promise.all(works.slice(at, at + TOLD_AT_ONCE).map(async (work) => await this.#tell(parcel, work)));
  }

  /** Who waits is told at once, but for a death, which is written to the mirror first. */
  #tell(parcel: Parcel, work: Work): Promise<void> | undefined {
    const { post, options, waiters } = this.#with;
    const { id } = work.hold;
    const outcome = outcomeOf(id, parcel.eventsOf(work), parcel.durable);
    if (outcome?.status === 'dead') return this.#died(parcel, work, outcome);
    if (outcome?.status === 'delivered') {
      post.emit({
        type: 'alert.delivered',
        id,
        channel: outcome.channel,
        attempts: outcome.attempts.length,
        ms: options.clock.now() - work.record.acceptedAt,
        late: outcome.late === true,
        durable: parcel.durable,
      });
    } else if (outcome?.status === 'coalesced') post.emit({ type: 'alert.coalesced', id, into: outcome.into });
    if (outcome) waiters.tell(id, outcome);
    return undefined;
  }

  async #died(parcel: Parcel, work: Work, outcome: Extract<Outcome, { status: 'dead' }>): Promise<void> {
    const { post, options, mirror, waiters } = this.#with;
    const { alert, acceptedAt, id } = work.record;
    const { reason } = outcome;
    post.emit({ type: 'alert.dead', id, severity: alert.severity, reason, durable: parcel.durable });
    await mirror?.write(letterOf({ id, acceptedAt, events: parcel.eventsOf(work) }, alert));
    callHook(options.critical, { alert, reason, outcome }, (error) =>
      post.emit({ type: 'critical-hook.failed', id, reason: post.redact(reasonOf(error)) }),
    );
    waiters.tell(id, outcome);
  }
}
