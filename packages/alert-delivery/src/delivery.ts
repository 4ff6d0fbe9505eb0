import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createEmitter } from '@holdfast/observe';
import { type Alert, type StoredAlert, storedAlert } from './alert.js';
import { ChannelGate } from './channel-gate.js';
import type { CloseReport, DeadLetter, Delivery, Recovered, ReplayFilter, Stats } from './contract.js';
import { type Post, type WalkEnd, walk } from './courier.js';
import { letterOf } from './dead-letter.js';
import { DeliveryError, isDeliveryError } from './errors.js';
import type { DeliveryEvent } from './events.js';
import { bytesOf, noteBytes } from './ledger.js';
import { type DeadReason, type Outcome, outcomeOf, progressOf, type Timeline, timelineOf } from './life.js';
import { mirror } from './mirror.js';
import { DEFAULTS, type DeliveryOptions, type FullOptions, type FullStep, fullOptions, fullSteps } from './options.js';
import { Parcel } from './parcel.js';
import { redactor } from './redact.js';
import { Room } from './room.js';
import type { Counts, DeadFilter, DeliveryStore, RecentEntry, Work } from './store.js';

/** True inside the critical hook and what it starts: alerts from there call it no more. */
const insideHook = new AsyncLocalStorage<true>();

/** How often a shared store is asked for work that others left, and holds are renewed. */
const POLL_MS = 1000;
const CLAIM_MAX = 64;

/**
 * Opens a delivery: alerts that it accepts are journaled before the first attempt, escalate along the chain, and end
 * delivered, coalesced, or as dead letters with the whole alert. What the last process left goes on by itself.
 *
 * @throws DeliveryError `DELIVERY_INVALID_OPTION`; `DELIVERY_STORE_FAILED` with `kind` (a locked folder: `pid`, `host`).
 * @example
 * ```ts
 * const delivery = await openDelivery({ chain: [{ channel: slackWebhook({ url }) }], store: fileStore({ dir: './alerts' }) });
 * await delivery.accept({ id: 'disk-1', title: 'disk full on db-3', severity: 'critical' });
 * ```
 */
export async function openDelivery(options: DeliveryOptions): Promise<Delivery> {
  const full = fullOptions(options);
  const emit = createEmitter<DeliveryEvent>('alert-delivery', full.onEvent);
  const run = randomUUID();
  let store: DeliveryStore;
  try {
    store = await full.store.open({
      clock: full.clock,
      run,
      history: full.history,
      deadLetters: full.deadLetters,
      startTimeoutMs: full.startTimeoutMs,
      onEvent: emit,
    });
  } catch (error) {
    if (isDeliveryError(error)) throw error;
    throw new DeliveryError('DELIVERY_STORE_FAILED', `the store can not be opened: ${String(error)}`, {
      kind: 'unusable',
      cause: error,
    });
  }
  const office = new Office(full, store, run, emit);
  try {
    await office.begin();
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
  return office;
}

class Office implements Delivery {
  recovered: Recovered = { pending: 0, neverTried: 0, maybeRepeat: 0, tornBytes: 0 };
  #options: FullOptions;
  #store: DeliveryStore;
  #emit: (event: DeliveryEvent) => void;
  #gates = new Map<string, ChannelGate<Parcel>>();
  #post: Post;
  #parcels = new Set<Parcel>();
  #running = new Set<Promise<unknown>>();
  #waiters = new Map<string, Set<(outcome: Outcome) => void>>();
  readonly #room: Room;
  #grouping = new Map<string, Parcel[]>();
  #groupTimers = new Map<string, () => void>();
  /** Ids that were sent while the store could not write, so that a retry of the same post is not sent twice. */
  #undurableIds = new Set<string>();
  #mirror: ReturnType<typeof mirror> | undefined;
  #undurable = 0;
  #selfAlerts = 0;
  #closing: Promise<CloseReport> | undefined;
  /** Set before anything else when closing begins. */
  #stopping = false;
  #lawTold = false;
  #cancelPoll: (() => void) | undefined;

  constructor(options: FullOptions, store: DeliveryStore, run: string, emit: (event: DeliveryEvent) => void) {
    this.#options = options;
    this.#room = new Room(options.queue);
    this.#store = store;
    this.#emit = emit;
    const path = options.deadLetter ?? (store.dir === undefined ? undefined : join(store.dir, 'failed-alerts.jsonl'));
    if (path !== undefined) {
      this.#mirror = mirror(path, DEFAULTS.mirrorBytes, (error) =>
        emit({ type: 'mirror.failed', reason: String(error) }),
      );
    }
    const secrets = (): Iterable<string> =>
      [...this.#gates.values()].flatMap((gate) => gate.step.channel.secrets ?? []);
    this.#post = {
      clock: options.clock,
      random: options.random,
      run,
      deadlineMs: options.deadlineMs,
      gate: (step) => this.#gate(step),
      redact: redactor(secrets, options.redact),
      emit,
      digestId: () => `digest-${randomUUID()}`,
      firingStep: (parcel, delivered) => this.#firingStep(parcel, delivered),
    };
    if (typeof options.chain !== 'function') for (const step of options.chain) this.#gate(step);
  }

  async begin(): Promise<void> {
    const { found } = this.#store;
    let neverTried = 0;
    let maybeRepeat = 0;
    const works = await this.#store.claim(this.#store.shared ? CLAIM_MAX : Number.MAX_SAFE_INTEGER);
    for (const { record } of works) {
      const maybe = progressOf(record.events).maybeArrived.size > 0;
      if (maybe) maybeRepeat++;
      if (!record.events.some((event) => event.type === 'started')) neverTried++;
      this.#emit({ type: 'alert.recovered', id: record.id, maybeRepeat: maybe });
    }
    this.recovered = { pending: found.pending, neverTried, maybeRepeat, tornBytes: found.tornBytes };
    this.#emit({
      type: 'delivery.opened',
      store: this.#options.store.kind,
      pending: found.pending,
      tornBytes: found.tornBytes,
      quarantinedBytes: found.quarantinedBytes,
    });
    for (const work of works) this.#resume(work);
    if (this.#store.shared) this.#poll();
  }

  async accept(input: Alert): Promise<{ id: string; duplicate: boolean }> {
    const { id, duplicate } = await this.#accept(input, false);
    return { id, duplicate };
  }

  async notify(input: Alert, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Outcome> {
    signal?.throwIfAborted();
    const { id, outcome } = await this.#accept(input, true);
    if (outcome) return outcome;
    return await this.#outcome(id, signal);
  }

  async *dead(filter: DeadFilter = {}): AsyncIterable<DeadLetter> {
    for await (const record of this.#store.dead(filter)) yield letterOf(record, record.alert);
  }

  async *replay(filter: ReplayFilter = {}): AsyncIterable<Outcome> {
    this.#open();
    const ids: string[] = [];
    for await (const { id } of this.#store.dead(filter)) ids.push(id);
    for (const id of ids) {
      this.#open();
      const at = this.#options.clock.now();
      const work = await this.#store.revive(
        id,
        { type: 'replayed', at, ...(filter.asNew && { asNew: true }) },
        { held: true },
      );
      if (!work) continue;
      this.#emit({ type: 'alert.replayed', id, asNew: filter.asNew === true });
      const outcome = this.#outcome(id, undefined);
      this.#resume(work);
      yield await outcome;
      if (filter.perSecond)
        await new Promise<void>(
          (resolve) => void this.#options.clock.schedule(1000 / filter.perSecond!, resolve, { ref: true }),
        );
    }
  }

  async explain(id: string): Promise<Timeline | undefined> {
    const record = await this.#store.find(id);
    return record && timelineOf(record);
  }

  recent(options: number | { limit?: number | undefined } = {}): AsyncIterable<RecentEntry> {
    return this.#store.recent((typeof options === 'number' ? options : options.limit) ?? 100);
  }

  stats(): Stats {
    const counts = this.#store.counts();
    const channels = Object.fromEntries([...this.#gates].map(([name, gate]) => [name, gate.stats()]));
    return {
      ...counts,
      lawHolds: this.#checkLaw(counts),
      undurable: this.#undurable,
      selfAlerts: this.#selfAlerts,
      channels,
    };
  }

  async flush(): Promise<void> {
    for (const key of [...this.#grouping.keys()]) this.#sendGroup(key);
    await Promise.all([...this.#running]);
    await this.#store.refresh().catch((error: unknown) => {
      this.#emit({ type: 'store.failed', during: 'refresh', reason: reasonOf(error) });
    });
  }

  close({ timeoutMs = DEFAULTS.closeTimeoutMs }: { timeoutMs?: number | undefined } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    const { clock } = this.#options;
    const begun = clock.monotonic();
    this.#stopping = true;
    this.#cancelPoll?.();
    this.#room.close();
    for (const key of [...this.#grouping.keys()]) this.#sendGroup(key);
    let cancel: (() => void) | undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancel = clock.schedule(timeoutMs, resolve, { ref: true });
    });
    await Promise.race([this.#idle(), timeUp]);
    cancel?.();
    const left = [...this.#parcels];
    for (const parcel of left) parcel.controller.abort(new DeliveryError('DELIVERY_CLOSED', 'delivery is closing'));
    await this.#idle();
    for (const gate of this.#gates.values()) gate.close();
    for (const [id, waiters] of this.#waiters) for (const waiter of waiters) waiter({ status: 'journaled', id });
    this.#waiters.clear();
    await this.#store.refresh().catch(() => undefined);
    const counts = this.#store.counts();
    const lawHolds = this.#checkLaw(counts);
    await this.#store.close();
    const ms = Math.round(clock.monotonic() - begun);
    this.#emit({ type: 'delivery.closed', pending: counts.pending, ms });
    return { journaled: counts.pending, lawHolds, ms };
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running]);
  }

  async #accept(input: Alert, wait: boolean): Promise<{ id: string; duplicate: boolean; outcome?: Outcome }> {
    this.#open();
    const { alert, json } = storedAlert(input);
    noteBytes(alert, json.length);
    const { id } = alert;
    // Who came before the close and had room is accepted; who still waits is told.
    if (!(await this.#room.enter(alert))) throw closed();
    const bytes = bytesOf(alert);
    if (this.#undurableIds.has(id)) {
      this.#room.leave(bytes);
      return { id, duplicate: true, outcome: { status: 'coalesced', id, into: id, durable: false } };
    }
    const stored = this.#admit(alert, bytes, wait);
    // A close waits for what it finds half accepted: the store must not be closed under it.
    const running = stored.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
    return await stored;
  }

  async #admit(
    alert: StoredAlert,
    bytes: number,
    wait: boolean,
  ): Promise<{ id: string; duplicate: boolean; outcome?: Outcome }> {
    const { id } = alert;
    const at = this.#options.clock.now();
    let accepted: { duplicate: boolean; work?: Work };
    try {
      accepted = await this.#store.accept(alert, at, { held: true });
    } catch (error) {
      this.#room.leave(bytes);
      if (isDeliveryError(error, 'DELIVERY_INVALID_ALERT')) throw error;
      this.#emit({ type: 'store.failed', during: 'accept', reason: reasonOf(error) });
      return { id, duplicate: false, outcome: await this.#sendUndurable(alert, at, error, wait) };
    }
    if (accepted.duplicate) {
      this.#room.leave(bytes);
      this.#emit({ type: 'alert.duplicate', id });
      return { id, duplicate: true };
    }
    this.#emit({ type: 'alert.accepted', id, severity: alert.severity, durable: true });
    if (accepted.work) this.#start(accepted.work);
    return { id, duplicate: false };
  }

  /** The store can't write: the alert is sent all the same. Who only accepts must hear of it unless a channel took it. */
  async #sendUndurable(alert: StoredAlert, at: number, cause: unknown, wait: boolean): Promise<Outcome> {
    const work: Work = {
      hold: { id: alert.id, token: '' },
      record: { id: alert.id, acceptedAt: at, alert, events: [] },
    };
    this.#undurable++;
    this.#undurableIds.add(alert.id);
    if (this.#undurableIds.size > 10_000) this.#undurableIds.delete(this.#undurableIds.values().next().value!);
    const outcome = new Promise<Outcome>((resolve) => {
      this.#waiters.set(alert.id, (this.#waiters.get(alert.id) ?? new Set()).add(resolve));
    });
    this.#emit({ type: 'alert.accepted', id: alert.id, severity: alert.severity, durable: false });
    this.#run(this.#parcel([work], false), true);
    const ended = await outcome;
    if (ended.status === 'delivered' || ended.status === 'coalesced') return ended;
    this.#undurableIds.delete(alert.id);
    if (wait && ended.status === 'dead') return ended;
    throw new DeliveryError(
      'DELIVERY_STORE_FAILED',
      `alert '${alert.id}' could neither be stored (${reasonOf(cause)}) nor delivered`,
      { kind: 'write', cause },
    );
  }

  /** Work that did not come through `accept` takes its room here: it exists already, and must not wait. */
  #resume(work: Work): void {
    this.#room.take(bytesOf(work.record.alert));
    this.#start(work);
  }

  #start(work: Work): void {
    const parcel = this.#parcel([work], true);
    const { group } = this.#options;
    const { dedupKey, status } = parcel.alert;
    if (!group || parcel.critical || dedupKey === undefined) {
      this.#run(parcel, false);
      return;
    }
    const key = `${parcel.routeKey}\0${status ?? ''}\0${dedupKey}`;
    const waiting = this.#grouping.get(key);
    if (waiting) waiting.push(parcel);
    else {
      this.#grouping.set(key, [parcel]);
      this.#groupTimers.set(
        key,
        this.#options.clock.schedule(group.windowMs, () => this.#sendGroup(key), { ref: true }),
      );
    }
  }

  #sendGroup(key: string): void {
    const parcels = this.#grouping.get(key);
    this.#groupTimers.get(key)?.();
    this.#groupTimers.delete(key);
    this.#grouping.delete(key);
    if (!parcels) return;
    const [first, ...others] = parcels;
    if (others.length > 0) {
      const { alert } = first!;
      const id = this.#post.digestId();
      const records = parcels.flatMap((parcel) => parcel.works.map((work) => work.record));
      const digest = {
        count: records.length,
        firstAt: records[0]!.acceptedAt,
        lastAt: records.at(-1)!.acceptedAt,
        ids: records.slice(0, 50).map((record) => record.id),
      };
      first!.absorb(
        others,
        Object.freeze({ ...alert, id, title: `${alert.title} (${records.length} times)`, digest }),
        id,
      );
      this.#emit({ type: 'digest.made', id, channel: '', count: records.length });
    }
    this.#run(first!, false);
  }

  #parcel(works: Work[], durable: boolean): Parcel {
    const parcel = new Parcel({
      works,
      durable,
      alert: works[0]!.record.alert,
      store: this.#store,
      onLost: (lost) => {
        for (const { hold, record } of lost) {
          this.#emit({ type: 'hold.lost', id: hold.id });
          this.#room.leave(bytesOf(record.alert));
          this.#watch(hold.id);
        }
      },
      onStoreFailed: (error) => this.#emit({ type: 'store.failed', during: 'record', reason: reasonOf(error) }),
    });
    parcel.routeKey =
      typeof this.#options.chain === 'function'
        ? this.#routeOf(parcel.alert)
            .map((step) => step.channel.name)
            .join('>')
        : '';
    return parcel;
  }

  #routeOf(alert: StoredAlert): readonly FullStep[] {
    const { chain } = this.#options;
    if (typeof chain !== 'function') return chain;
    try {
      return fullSteps(chain(alert));
    } catch (error) {
      // A route that can't be had is an empty one: the alert ends dead, with the critical hook, and is never lost.
      this.#emit({ type: 'store.notice', name: 'chain.failed', reason: reasonOf(error) });
      return [];
    }
  }

  #run(parcel: Parcel, undurable: boolean): void {
    this.#parcels.add(parcel);
    const running = walk(parcel, this.#routeOf(parcel.works[0]!.record.alert), this.#post)
      .then((end) => this.#ended(parcel, end, undurable))
      .catch((error: unknown) => this.#emit({ type: 'store.failed', during: 'delivery', reason: reasonOf(error) }))
      .finally(() => {
        this.#parcels.delete(parcel);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async #ended(parcel: Parcel, end: WalkEnd, undurable: boolean): Promise<void> {
    const works = parcel.works;
    const leave = (work: Work): void => {
      if (!undurable) this.#room.leave(bytesOf(work.record.alert));
    };
    // Who was folded into another parcel leaves with that one; who was lost on the way has left already.
    if (end.kind !== 'folded') for (const work of works) leave(work);
    if (end.kind === 'stopped') await this.#store.release(works.map((work) => work.hold)).catch(() => undefined);
    if (end.kind !== 'ended') return;
    // Together: the lines of their dead letters then share one write and one fdatasync.
    await Promise.all(works.map((work) => this.#tell(parcel, work)));
  }

  async #tell(parcel: Parcel, work: Work): Promise<void> {
    const { id } = work.hold;
    const events = parcel.eventsOf(work);
    const outcome = outcomeOf(id, events, parcel.durable);
    if (!outcome) return;
    const { alert, acceptedAt } = work.record;
    const now = this.#options.clock.now();
    if (outcome.status === 'delivered') {
      this.#emit({
        type: 'alert.delivered',
        id,
        channel: outcome.channel,
        attempts: outcome.attempts.length,
        ms: now - acceptedAt,
        late: outcome.late === true,
        durable: parcel.durable,
      });
    } else if (outcome.status === 'coalesced') {
      this.#emit({ type: 'alert.coalesced', id, into: outcome.into });
    } else if (outcome.status === 'dead') {
      this.#emit({ type: 'alert.dead', id, severity: alert.severity, reason: outcome.reason, durable: parcel.durable });
      await this.#mirror?.write(letterOf({ id, acceptedAt, events }, alert));
      await this.#callHook(alert, outcome.reason, outcome);
    }
    const waiters = this.#waiters.get(id);
    this.#waiters.delete(id);
    for (const waiter of waiters ?? []) waiter(outcome);
    this.#checkLaw(this.#store.counts());
  }

  async #callHook(alert: StoredAlert, reason: DeadReason, outcome: Outcome): Promise<void> {
    const { critical } = this.#options;
    if (!critical || insideHook.getStore()) return;
    const failed = (error: unknown): void =>
      this.#emit({ type: 'critical-hook.failed', id: alert.id, reason: this.#post.redact(reasonOf(error)) });
    // Not awaited to its end: a hook that hangs must not hold the delivery. It may create alerts, which call it no more.
    insideHook.run(true, () => {
      try {
        void Promise.resolve(critical({ alert, reason, outcome })).catch(failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** Resolves with the end of an alert that is pending, or has ended. */
  async #outcome(id: string, signal: AbortSignal | undefined): Promise<Outcome> {
    let cleanUp: (() => void) | undefined;
    const ended = new Promise<Outcome>((resolve, reject) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters.add(resolve));
      const onAbort = (): void => reject(signal!.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      cleanUp = () => {
        waiters.delete(resolve);
        signal?.removeEventListener('abort', onAbort);
      };
    });
    try {
      // Registered first and looked up then, so that an end in between is not missed. A dead letter that is about to be
      // sent again is not the end that a replay waits for.
      const known = await this.#store.find(id).catch(() => undefined);
      const outcome = known && outcomeOf(id, known.events);
      if (outcome) return outcome;
      if (known && !this.#isHere(id)) this.#watch(id);
      return await ended;
    } finally {
      cleanUp?.();
    }
  }

  #isHere(id: string): boolean {
    for (const parcel of this.#parcels) if (parcel.works.some((work) => work.hold.id === id)) return true;
    for (const parcels of this.#grouping.values())
      if (parcels.some((parcel) => parcel.works.some((work) => work.hold.id === id))) return true;
    return false;
  }

  /** Another instance has it: who waits for it here is told when the store shows its end. */
  #watch(id: string): void {
    if (!this.#store.shared) return;
    const look = async (): Promise<void> => {
      if (!this.#waiters.has(id) || this.#closing) return;
      const record = await this.#store.find(id).catch(() => undefined);
      const outcome = record && outcomeOf(id, record.events);
      if (!outcome) {
        this.#options.clock.schedule(POLL_MS, () => void look(), { ref: true });
        return;
      }
      const waiters = this.#waiters.get(id);
      this.#waiters.delete(id);
      for (const waiter of waiters ?? []) waiter(outcome);
    };
    void look();
  }

  #gate(step: FullStep): ChannelGate<Parcel> {
    const { name } = step.channel;
    const known = this.#gates.get(name);
    if (known) {
      known.step = step;
      return known;
    }
    const gate = new ChannelGate<Parcel>({
      step,
      clock: this.#options.clock,
      foldAbove: DEFAULTS.foldAbove,
      condition: this.#store.conditions().find((condition) => condition.channel === name),
      events: {
        throttled: (ms) => this.#emit({ type: 'channel.throttled', channel: name, ms }),
        opened: (ms, why, first) => {
          this.#emit({ type: 'channel.opened', channel: name, ms, why });
          if (first) this.#raiseSelfAlert(name, why);
        },
        probed: () => this.#emit({ type: 'channel.probed', channel: name }),
        closed: () => this.#emit({ type: 'channel.closed', channel: name }),
        changed: (condition) => {
          this.#store
            .saveCondition(condition)
            .catch((error: unknown) =>
              this.#emit({ type: 'store.failed', during: 'channel', reason: reasonOf(error) }),
            );
        },
      },
    });
    this.#gates.set(name, gate);
    return gate;
  }

  /** One message to whoever is left, once in an open period. Not counted in the six, never about itself. */
  #raiseSelfAlert(channel: string, why: string): void {
    const { chain } = this.#options;
    if (typeof chain === 'function' || this.#closing) return;
    const others = chain.filter((step) => step.channel.name !== channel);
    if (others.length === 0) return;
    this.#selfAlerts++;
    this.#emit({ type: 'self-alert.raised', channel });
    const alert: StoredAlert = Object.freeze({
      id: `self-${randomUUID()}`,
      severity: 'error',
      title: `alert channel ${channel} is down (${why}): alerts go to the next one`,
    });
    const parcel = new Parcel({
      works: [],
      durable: true,
      alert,
      store: this.#store,
      onLost: () => undefined,
      onStoreFailed: () => undefined,
    });
    this.#parcels.add(parcel);
    const running = walk(parcel, others, this.#post)
      .then((end) => {
        if (end.kind !== 'ended' || end.end.type === 'dead') this.#emit({ type: 'self-alert.failed', channel });
      })
      .finally(() => {
        this.#parcels.delete(parcel);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async #firingStep(parcel: Parcel, delivered: string): Promise<FullStep | undefined> {
    const { status, dedupKey } = parcel.alert;
    if (status !== 'resolved' || dedupKey === undefined) return undefined;
    const channel = await this.#store.firingChannel(dedupKey).catch(() => undefined);
    if (channel === undefined || channel === delivered) return undefined;
    return this.#gates.get(channel)?.step;
  }

  #poll(): void {
    const again = (): void => {
      if (!this.#closing) this.#cancelPoll = this.#options.clock.schedule(POLL_MS, () => void look());
    };
    const look = async (): Promise<void> => {
      try {
        const holds = [...this.#parcels, ...[...this.#grouping.values()].flat()].flatMap((parcel) =>
          parcel.works.map((work) => work.hold),
        );
        await this.#store.renew(holds);
        const free = Math.min(CLAIM_MAX, this.#room.free);
        if (free > 0 && !this.#closing) {
          for (const work of await this.#store.claim(free)) {
            this.#emit({
              type: 'alert.recovered',
              id: work.hold.id,
              maybeRepeat: progressOf(work.record.events).maybeArrived.size > 0,
            });
            this.#resume(work);
          }
        }
        await this.#store.refresh();
      } catch (error) {
        this.#emit({ type: 'store.failed', during: 'poll', reason: reasonOf(error) });
      }
      again();
    };
    again();
  }

  #checkLaw(counts: Counts): boolean {
    const { accepted, delivered, coalesced, dead, pending, evicted } = counts;
    const holds = accepted === delivered + coalesced + dead + pending + evicted;
    if (!holds && !this.#lawTold) this.#emit({ type: 'law.violated', ...counts });
    this.#lawTold = !holds;
    return holds;
  }

  #open(): void {
    if (this.#stopping) throw closed();
  }
}

function closed(): DeliveryError {
  return new DeliveryError('DELIVERY_CLOSED', 'delivery is closed: it accepts nothing more');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
