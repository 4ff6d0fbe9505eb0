// Longer than 300 lines: the one way in, with the paths that answer at once written out beside the one that waits.
import { randomBytes } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { createEmitter } from '@holdfast/observe';
import { startAttempt } from './attempt.js';
import { Call, type Counts, type End, outcomeOf, type Tower, type Value } from './call.js';
import { callStore, isThenable, storeFailure } from './deadline.js';
import type { Claim, Replayed } from './decide.js';
import { IdempotencyError } from './errors.js';
import type { IdempotencyEvent } from './events.js';
import { countReplay, Flight, sendClaim, timeLeft } from './flight.js';
import type { Idempotency, Outcome, Snapshot, Stats } from './idempotency.js';
import { encodeKey, type Key, type LaneTerms, readableKey } from './key.js';
import { Leases } from './lease.js';
import type { Operation } from './operation.js';
import type { RunOptions, Settings } from './options.js';
import { busyError, closedError, reusedError } from './refusals.js';
import { snapshotFor } from './snapshot.js';
import type { Deadline, MaybePromise, OpenStore, Store } from './store.js';
import { decodeValue } from './value.js';

type Mine = Claim & { verdict: 'mine' };

/** Where `createEmitter` publishes. */
const published = channel('holdfast.idempotency');

/** The one implementation of {@link Idempotency}. */
export class Core implements Idempotency, Tower {
  readonly settings: Settings;
  readonly counts: Counts = {
    hits: 0,
    runs: 0,
    joins: 0,
    failures: 0,
    takeovers: 0,
    lost: 0,
    bypassed: 0,
    busy: 0,
    storeErrors: 0,
  };
  readonly leases: Leases;
  readonly #store: Store;
  /** The newest flight of each key; a lane's older ones are reached through it. */
  readonly #flights = new Map<string, Flight>();
  readonly #leaving = new AbortController();
  readonly #publish: (event: IdempotencyEvent) => void;
  readonly #prefix = randomBytes(9).toString('base64url');
  #sequence = 0;
  #opened: OpenStore | undefined;
  #opening: Promise<OpenStore> | undefined;
  #closed: Promise<void> | undefined;

  constructor(settings: Settings, store: Store) {
    this.settings = settings;
    this.leases = new Leases(settings);
    this.#store = store;
    this.#publish = createEmitter('idempotency', settings.onEvent);
  }

  get ttlMs(): number {
    return this.settings.ttlMs;
  }

  run<T>(key: Key, fn: (op: Operation) => T | Promise<T>, options?: RunOptions<T>): Promise<T> {
    return this.#enter(key, fn, options as RunOptions | undefined, false) as Promise<T>;
  }

  execute<T>(key: Key, fn: (op: Operation) => T | Promise<T>, options?: RunOptions<T>): Promise<Outcome<T>> {
    return this.#enter(key, fn, options as RunOptions | undefined, true) as Promise<Outcome<T>>;
  }

  /** At once when the store answers at once, which makes a replay from memory cost about a map lookup. */
  #enter(key: Key, fn: Call['fn'], options: RunOptions | undefined, whole: boolean): Promise<unknown> {
    try {
      const store = this.#opened;
      if (options === undefined && typeof key === 'string' && store?.recall !== undefined) {
        const known = this.#recalled(store, key, fn);
        if (known !== undefined) return Promise.resolve(this.#replayNow(key, undefined, known, whole));
      }
      const call = this.#callOf(key, fn, options);
      if (store === undefined || this.#flights.has(call.key)) return this.#wait(call, whole);
      const answer = sendClaim(this, store, call);
      if (!isThenable(answer)) {
        if (answer.verdict === 'done') return Promise.resolve(this.#replayNow(call.key, call.lane, answer, whole));
        if (answer.verdict === 'mine') return this.#runNow(store, call, answer, whole);
      }
      return this.#wait(call, whole, this.#launch(call, undefined, answer));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A replay without a claim, if the store can tell at once. It never fails: what is wrong is found by the claim. */
  #recalled(store: OpenStore, key: string, fn: unknown): Replayed | undefined {
    if (this.#closed || typeof fn !== 'function' || key.charCodeAt(0) === 0) return undefined;
    try {
      const known = store.recall?.(key);
      return known?.verdict === 'done' ? known : undefined;
    } catch {
      return undefined;
    }
  }

  #replayNow(key: string, lane: LaneTerms | undefined, claim: Replayed, whole: boolean): unknown {
    countReplay(this, key, lane, claim);
    const value = decodeValue(claim.value);
    return whole ? { value, via: 'replayed', attempt: claim.attempt, ageMs: claim.ageMs } : value;
  }

  /** A run whose claim was answered at once. Others who ask meanwhile join its flight. */
  #runNow(store: OpenStore, call: Call, claim: Mine, whole: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const flight = new Flight(this, call, undefined);
      flight.answering(whole, resolve, reject);
      this.#flights.set(call.key, flight);
      startAttempt(this, store, call, claim, flight);
    });
  }

  #callOf(key: Key, fn: Call['fn'], options: RunOptions | undefined): Call {
    if (this.#closed) throw closedError();
    if (typeof fn !== 'function')
      throw new IdempotencyError('IDEMPOTENCY_INVALID_OPTION', 'run and execute need a function to run');
    return new Call(this, key, fn, options);
  }

  #launch(call: Call, before: Flight | undefined, sent?: MaybePromise<Claim>): Flight {
    const flight = new Flight(this, call, before);
    this.#flights.set(call.key, flight);
    void flight.fly(sent);
    void flight.cleared.then(() => this.forgetFlight(flight));
    return flight;
  }

  forgetFlight(flight: Flight): void {
    if (this.#flights.get(flight.call.key) === flight) this.#flights.delete(flight.call.key);
  }

  async #wait(call: Call, whole: boolean, launched?: Flight): Promise<unknown> {
    call.waits();
    const end = await this.#landed(call, launched);
    return whole ? outcomeOf(end) : end.value;
  }

  async #landed(call: Call, launched: Flight | undefined): Promise<Value> {
    let own = launched;
    for (;;) {
      const present = own ?? this.#flights.get(call.key);
      if (present && !own && call.lane === undefined && clashes(present.call.state, call.state))
        throw this.refused(call, reusedError(call));
      const joins = !own && present && (call.lane === undefined || present.call.state === call.state);
      const flight = joins ? present : (own ?? this.#launch(call, present));
      const end = joins ? await this.#join(flight, call) : await flight.ended;
      own = undefined;
      switch (end.end) {
        case 'value':
          return joins ? this.#joined(call, end) : end;
        case 'error':
          throw end.error;
        case 'lost':
        case 'left':
          if (!joins) throw this.told(call, end.error);
          if (timeLeft(this, call) <= 0 || this.#closed) throw this.refused(call, busyError(call, 1_000));
      }
    }
  }

  /** The flight's end, or `left` when this call's own patience ends first. */
  async #join(flight: Flight, call: Call): Promise<End> {
    const { signal } = call;
    signal?.throwIfAborted();
    const left = timeLeft(this, call);
    if (left <= 0) throw this.refused(call, busyError(call, 1_000));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.settings.clock.schedule(left, () => {
        signal?.removeEventListener('abort', leave);
        reject(this.refused(call, busyError(call, 1_000)));
      });
      signal?.addEventListener('abort', leave, { once: true });
      void flight.ended.then((end) => {
        cancel();
        signal?.removeEventListener('abort', leave);
        resolve(end);
      });
    });
  }

  #joined(call: Call, end: Value): Value {
    const value = end.encoded === undefined ? end.value : decodeValue(end.encoded);
    if (end.via === 'replayed') {
      this.counts.hits++;
      return { ...end, value };
    }
    this.counts.joins++;
    const waitedMs = Math.round(this.settings.clock.monotonic() - call.arrivedAt);
    this.emit({ type: 'call.joined', key: readableKey(call.key), waitedMs });
    return { ...end, value, via: 'joined' };
  }

  told(call: Call, error: unknown): unknown {
    if (!(error instanceof IdempotencyError) || error.code === 'IDEMPOTENCY_LEASE_LOST') return error;
    return this.refused(call, error);
  }

  refused(call: Call, error: IdempotencyError): IdempotencyError {
    if (error.code === 'IDEMPOTENCY_BUSY') this.counts.busy++;
    const waitedMs = Math.round(this.settings.clock.monotonic() - call.arrivedAt);
    this.emit({ type: 'call.refused', key: readableKey(call.key), code: error.code, waitedMs });
    return error;
  }

  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  get listening(): boolean {
    return this.settings.onEvent !== undefined || published.hasSubscribers;
  }

  emit(event: IdempotencyEvent): void {
    this.#publish(event);
  }

  random(): number {
    return this.settings.random();
  }

  nextId(): string {
    return `${this.#prefix}-${(++this.#sequence).toString(36)}`;
  }

  /** The open store, opening it if need be; a failure to open is not remembered. */
  store(): MaybePromise<OpenStore> {
    if (this.#opened) return this.#opened;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<OpenStore> {
    const { namespace, clock, storeTimeoutMs } = this.settings;
    // The store bounds its opening itself: it may have to watch a predecessor's directory for a while.
    const context = { namespace, clock, storeTimeoutMs, emit: (event: IdempotencyEvent) => this.emit(event) };
    try {
      this.#opened = await this.#store.open(context);
    } catch (error) {
      throw storeFailure('open', error);
    }
    this.emit({ type: 'store.opened', store: this.#store.name, namespace });
    return this.#opened;
  }

  storeFailed(operation: string, error: unknown): void {
    this.counts.storeErrors++;
    const reason = error instanceof Error ? error.message : String(error);
    this.emit({ type: 'store.failed', store: this.#store.name, operation, reason });
  }

  ready(): Promise<void> {
    return this.#ask('ping', (store, deadline) => store.ping(deadline));
  }

  async peek(key: Key): Promise<Snapshot | undefined> {
    const { text, lane } = encodeKey(key);
    const found = await this.#ask('peek', (store, deadline) => store.peek(text, deadline));
    return found && snapshotFor(found, lane !== undefined);
  }

  async forget(key: Key): Promise<boolean> {
    const { text } = encodeKey(key);
    return this.#ask('forget', (store, deadline) => store.forget(text, deadline));
  }

  async #ask<T>(operation: string, call: (store: OpenStore, deadline: Deadline) => MaybePromise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    const { storeTimeoutMs, clock } = this.settings;
    try {
      const store = await this.store();
      return await callStore(operation, storeTimeoutMs, clock, (deadline) => call(store, deadline));
    } catch (error) {
      this.storeFailed(operation, error);
      throw error;
    }
  }

  stats(): Stats {
    const store = this.#opened?.stats();
    return {
      ...this.counts,
      entries: store ? store.entries : 0,
      inFlight: store?.inFlight ?? this.#flights.size,
      bytes: store ? store.bytes : 0,
      evicted: store?.evicted ?? 0,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#leaving.abort(closedError());
    await this.#opening?.catch(() => undefined);
    while (this.#flights.size > 0) await Promise.all([...this.#flights.values()].map((flight) => flight.cleared));
    await this.#opened?.close();
    this.emit({ type: 'store.closed', store: this.#store.name });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Two fingerprints that contradict each other; a call without one matches any. */
function clashes(running: string, asked: string): boolean {
  return running !== asked && running !== '' && asked !== '';
}
