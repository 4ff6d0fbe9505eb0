import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createEmitter } from '@holdfast/observe';
import type { Alert } from './alert.js';
import { type Canaries, startCanary } from './canary.js';
import type { CloseReport, DeadLetter, Delivery, Recovered, ReplayFilter, Stats } from './contract.js';
import { letterOf } from './dead-letter.js';
import { Dispatch } from './dispatch.js';
import { DeliveryError, isDeliveryError, reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';
import { Gates } from './gates.js';
import { type Beats, startHeartbeat } from './heartbeat.js';
import { closedError, Intake } from './intake.js';
import { lawWatch } from './law.js';
import { type Outcome, progressOf, type Timeline, timelineOf } from './life.js';
import { mirror } from './mirror.js';
import { DEFAULTS, type DeliveryOptions, type FullOptions, type FullStep, fullOptions } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post } from './post.js';
import { redactor, secretsOf } from './redact.js';
import { replayed } from './replay.js';
import { Room } from './room.js';
import { SelfAlerts } from './self-alert.js';
import { CLAIM_MAX, shareWork } from './shared-work.js';
import type { Counts, DeadFilter, DeliveryStore, RecentEntry } from './store.js';
import { Waiters } from './waiters.js';

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
  const delivery = new OpenDelivery(full, store, run, emit);
  try {
    await delivery.begin();
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
  return delivery;
}

class OpenDelivery implements Delivery {
  recovered: Recovered = { pending: 0, neverTried: 0, maybeRepeat: 0, tornBytes: 0, quarantinedBytes: 0 };
  readonly #options: FullOptions;
  readonly #store: DeliveryStore;
  readonly #emit: (event: DeliveryEvent) => void;
  readonly #checkLaw: (counts: Counts) => boolean;
  readonly #gates: Gates;
  readonly #post: Post;
  readonly #room: Room;
  readonly #waiters: Waiters;
  readonly #dispatch: Dispatch;
  readonly #intake: Intake;
  readonly #selfAlerts: SelfAlerts;
  readonly #beats: Beats = { sent: 0, failed: 0, withheld: 0 };
  readonly #canaries: Canaries = { delivered: 0, failed: 0 };
  /** What runs on schedule, to be ended when closing begins. */
  readonly #schedules: (() => void)[] = [];
  #closing: Promise<CloseReport> | undefined;
  /** Set before anything else when closing begins. */
  #stopping = false;

  constructor(options: FullOptions, store: DeliveryStore, run: string, emit: (event: DeliveryEvent) => void) {
    const { clock, random, deadlineMs, heartbeat } = options;
    this.#options = options;
    this.#store = store;
    this.#emit = emit;
    this.#checkLaw = lawWatch(emit);
    this.#selfAlerts = new SelfAlerts(options.chain, () => (this.#stopping ? undefined : this.#dispatch), emit);
    this.#gates = new Gates({
      store,
      clock,
      emit,
      onDown: (channel, why) => this.#selfAlerts.raise(channel, why),
      onUp: (channel) => this.#selfAlerts.worksAgain(channel),
    });
    const gates = this.#gates;
    const secrets = function* (): Iterable<string> {
      yield* gates.secrets();
      if (heartbeat) yield* secretsOf(heartbeat.url);
    };
    this.#post = {
      clock,
      random,
      run,
      deadlineMs,
      gate: (step) => gates.of(step),
      channels: gates,
      redact: redactor(secrets, options.redact),
      emit,
      digestId: () => `digest-${randomUUID()}`,
      carries: (parcel) => this.#dispatch.carries(parcel),
      firingSteps: (parcel, delivered) => this.#firingSteps(parcel, delivered),
    };
    this.#room = new Room(options.queue);
    this.#waiters = new Waiters(store, clock);
    const path = options.deadLetter ?? (store.dir === undefined ? undefined : join(store.dir, 'failed-alerts.jsonl'));
    this.#dispatch = new Dispatch({
      options,
      store,
      post: this.#post,
      room: this.#room,
      waiters: this.#waiters,
      checkLaw: this.#checkLaw,
      mirror:
        path === undefined
          ? undefined
          : mirror(path, DEFAULTS.mirrorBytes, (error) => emit({ type: 'mirror.failed', reason: String(error) })),
    });
    this.#intake = new Intake({
      store,
      clock,
      room: this.#room,
      dispatch: this.#dispatch,
      waiters: this.#waiters,
      emit,
    });
    if (typeof options.chain !== 'function') for (const step of options.chain) gates.of(step);
  }

  async begin(): Promise<void> {
    const { clock, heartbeat, canary } = this.#options;
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
    const { pending, tornBytes, quarantinedBytes } = found;
    this.recovered = { pending, neverTried, maybeRepeat, tornBytes, quarantinedBytes };
    this.#emit({ type: 'delivery.opened', store: this.#options.store.kind, pending, tornBytes, quarantinedBytes });
    for (const work of works) this.#dispatch.resume(work);
    const common = { clock, dispatch: this.#dispatch, emit: this.#emit };
    if (this.#store.shared) this.#schedules.push(shareWork({ ...common, store: this.#store, room: this.#room }));
    if (canary) {
      const { selfAlerts, canaries } = { selfAlerts: this.#selfAlerts, canaries: this.#canaries };
      this.#schedules.push(startCanary({ ...common, ...canary, selfAlerts, canaries }));
    }
    if (heartbeat) {
      const healthy = (): boolean => this.#store.failure === undefined && this.stats().lawHolds;
      const { redact } = this.#post;
      this.#schedules.push(startHeartbeat({ ...common, ...heartbeat, healthy, redact, beats: this.#beats }));
    }
  }

  async accept(input: Alert): Promise<{ id: string; duplicate: boolean }> {
    this.#assertOpen();
    const { id, duplicate } = await this.#intake.admit(input, false);
    return { id, duplicate };
  }

  async notify(input: Alert, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Outcome> {
    signal?.throwIfAborted();
    this.#assertOpen();
    const { id, outcome, waiter } = await this.#intake.admit(input, true);
    if (waiter) return await waiter.until(signal);
    return outcome ?? (await this.#waiters.outcome(id, () => this.#dispatch.isHere(id), signal));
  }

  async *dead(filter: DeadFilter = {}): AsyncIterable<DeadLetter> {
    for await (const record of this.#store.dead(filter)) yield letterOf(record, record.alert);
  }

  replay(filter: ReplayFilter = {}): AsyncIterable<Outcome> {
    return replayed(filter, {
      store: this.#store,
      clock: this.#options.clock,
      dispatch: this.#dispatch,
      waiters: this.#waiters,
      emit: this.#emit,
      assertOpen: () => this.#assertOpen(),
    });
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
    const evictions = this.#store.evictions();
    return {
      ...counts,
      lawHolds: this.#checkLaw(counts),
      undurable: this.#intake.undurable,
      selfAlerts: this.#selfAlerts.raised,
      heartbeats: { ...this.#beats },
      canaries: { ...this.#canaries },
      ...(evictions && { evictions }),
      channels: this.#gates.stats(),
    };
  }

  async flush(): Promise<void> {
    this.#dispatch.sendWaiting();
    await this.#dispatch.settled();
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
    for (const end of this.#schedules) end();
    this.#room.close();
    this.#dispatch.sendWaiting();
    let cancel: (() => void) | undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancel = clock.schedule(timeoutMs, resolve, { ref: true });
    });
    await Promise.race([this.#dispatch.idle(), timeUp]);
    cancel?.();
    this.#dispatch.stop(new DeliveryError('DELIVERY_CLOSED', 'delivery is closing'));
    await this.#dispatch.idle();
    this.#gates.close();
    this.#waiters.close();
    await this.#store.refresh().catch(() => undefined);
    const counts = this.#store.counts();
    const lawHolds = this.#checkLaw(counts);
    await this.#store.close();
    const ms = Math.round(clock.monotonic() - begun);
    this.#emit({ type: 'delivery.closed', pending: counts.pending, ms });
    return { journaled: counts.pending, lawHolds, ms };
  }

  /** Where else a resolved notice must go: to the channels that got its firing, or those of the digest's members. */
  async #firingSteps(parcel: Parcel, delivered: string): Promise<readonly FullStep[]> {
    const keys = parcel.works.flatMap(({ record: { alert } }) =>
      alert.status === 'resolved' && alert.dedupKey !== undefined ? [alert.dedupKey] : [],
    );
    if (keys.length === 0) return [];
    const channels = await this.#store.firingChannels(keys).catch(() => new Map<string, string>());
    const others = new Set([...channels.values()].filter((channel) => channel !== delivered));
    return [...others].flatMap((channel) => this.#gates.stepOf(channel) ?? []);
  }

  #assertOpen(): void {
    if (this.#stopping) throw closedError();
  }
}
