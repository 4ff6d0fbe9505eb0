import { sleep } from '@holdfast/backoff';
import { runBypassed, startAttempt } from './attempt.js';
import { type Call, type End, outcomeOf, type Tower } from './call.js';
import { callStore, claimWithin, isThenable } from './deadline.js';
import type { Claim, Replayed } from './decide.js';
import { type LaneTerms, readableKey } from './key.js';
import { busyError, reusedError } from './refusals.js';
import type { MaybePromise, OpenStore } from './store.js';
import { decodeValue } from './value.js';

/** Between two looks at a run of another instance: from the first to the second, growing by half, with jitter. */
const POLL_MIN_MS = 20;
const POLL_MAX_MS = 500;

/** Sends a call's claim. */
export function sendClaim(tower: Tower, store: OpenStore, call: Call): MaybePromise<Claim> {
  const { storeTimeoutMs, clock } = tower.settings;
  call.sending(store);
  return claimWithin(storeTimeoutMs, clock, store, call.key, call);
}

/** What a finished run's answer is to the call that asks now. */
function replay(tower: Tower, call: Call, claim: Replayed, waited: boolean): End & { end: 'value' } {
  countReplay(tower, call.key, call.lane, claim);
  const { value, attempt, ageMs } = claim;
  return {
    end: 'value',
    value: decodeValue(value),
    encoded: value,
    via: waited ? 'joined' : 'replayed',
    attempt,
    ageMs,
  };
}

/** Counts and tells a replay. */
export function countReplay(
  tower: Tower,
  text: string,
  lane: LaneTerms | undefined,
  { attempt, ageMs, reason }: Replayed,
): void {
  tower.counts.hits++;
  if (!tower.listening) return;
  const key = readableKey(text);
  tower.emit({ type: 'call.replayed', key, reason, ageMs, attempt });
  const retryMs = lane?.retryMs;
  if (reason === 'same-state' && retryMs !== undefined && ageMs > retryMs)
    tower.emit({ type: 'call.absorbed_late', key, ageMs, retryMs });
}

/** The instance, which keeps the flights. */
interface Hangar extends Tower {
  forgetFlight(flight: Flight): void;
}

/**
 * The way of one key (or one state of a lane) through this process: everybody in the process who asks for it meanwhile
 * waits for `ended` instead of asking the store.
 */
export class Flight {
  readonly call: Call;
  readonly #tower: Hangar;
  readonly #before: Flight | undefined;
  #end: End | undefined;
  #ended: Promise<End> | undefined;
  #resolve: ((end: End) => void) | undefined;
  #whole = false;
  #answer: ((value: unknown) => void) | undefined;
  #refuse: ((error: unknown) => void) | undefined;

  constructor(tower: Hangar, call: Call, before: Flight | undefined) {
    this.#tower = tower;
    this.call = call;
    this.#before = before;
  }

  /** Never rejects. Made when somebody waits: most flights have one passenger. */
  get ended(): Promise<End> {
    this.#ended ??= new Promise((resolve) => {
      if (this.#end) resolve(this.#end);
      else this.#resolve = resolve;
    });
    return this.#ended;
  }

  /** Resolves when this flight and all before it in its lane have ended. */
  get cleared(): Promise<unknown> {
    const { ended } = this;
    return this.#before ? this.#before.cleared.then(() => ended) : ended;
  }

  /** Its claim was answered at once, so it brings the answer of the call that leads itself. */
  answering(whole: boolean, answer: (value: unknown) => void, refuse: (error: unknown) => void): void {
    this.#whole = whole;
    this.#answer = answer;
    this.#refuse = refuse;
  }

  land(end: End): void {
    this.#end = end;
    this.#resolve?.(end);
    if (!this.#answer) return;
    this.#tower.forgetFlight(this);
    if (end.end === 'value') this.#answer(this.#whole ? outcomeOf(end) : end.value);
    else this.#refuse?.(end.end === 'error' ? end.error : this.#tower.told(this.call, end.error));
  }

  /** Claims, waits while another instance has the key, runs or replays; `answer` is that of a claim already sent. */
  async fly(sent?: MaybePromise<Claim>): Promise<void> {
    this.land(await this.#fly(sent).catch((error: unknown): End => ({ end: 'error', error })));
  }

  async #fly(sent: MaybePromise<Claim> | undefined): Promise<End> {
    if (this.#before) {
      const left = await this.#waitFor(this.#before.cleared);
      if (left) return left;
    }
    const tower = this.#tower;
    const { call } = this;
    let waited = false;
    for (let look = 0; ; look++) {
      let store: OpenStore | undefined;
      let claim: Claim;
      try {
        const opened = openStore(tower);
        store = isThenable(opened) ? await opened : opened;
        const answer = look === 0 && sent !== undefined ? sent : sendClaim(tower, store, call);
        claim = isThenable(answer) ? await answer : answer;
      } catch (error) {
        return this.#withoutStore(store, error);
      }
      switch (claim.verdict) {
        case 'mine':
          return flown(tower, store, call, claim);
        case 'done':
          return replay(tower, call, claim, waited);
        case 'reused':
          return { end: 'left', error: reusedError(call) };
        case 'busy': {
          const left = timeLeft(tower, call);
          if (left <= 0 || tower.leaving.aborted) return { end: 'left', error: busyError(call, claim.leftMs) };
          waited = true;
          const pause = Math.min(POLL_MAX_MS, POLL_MIN_MS * 1.5 ** look) * (0.5 + tower.random() / 2);
          const ended = await this.#waitFor(sleep(Math.min(left, claim.leftMs + 1, pause), tower.settings.clock));
          if (ended) return ended;
        }
      }
    }
  }

  /** Waits as long as the call that leads is willing to; gives how the flight ended if it was not. */
  async #waitFor(event: Promise<unknown>): Promise<End | undefined> {
    const { call } = this;
    const { clock } = this.#tower.settings;
    const stop = new AbortController();
    const late = sleep(Math.max(0, timeLeft(this.#tower, call)), clock, { signal: stop.signal }).then(
      (): End => ({ end: 'left', error: busyError(call, 1_000) }),
      () => undefined,
    );
    const { signal } = call;
    let leave = (): void => undefined;
    const aborted = new Promise<End>((resolve) => {
      leave = () => resolve({ end: 'left', error: signal?.reason });
      if (signal?.aborted) leave();
      else signal?.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([event.then(() => undefined), late, aborted]);
    } finally {
      stop.abort();
      signal?.removeEventListener('abort', leave);
    }
  }

  /** The store could not be asked. Its answer may have been lost, so what it may have claimed is given back. */
  #withoutStore(store: OpenStore | undefined, error: unknown): Promise<End> | End {
    const tower = this.#tower;
    const { call } = this;
    tower.storeFailed(store ? 'claim' : 'open', error);
    if (store) void giveBack(tower, store, call);
    return tower.settings.onStoreError === 'run' ? runBypassed(tower, call) : { end: 'error', error };
  }
}

function flown(tower: Tower, store: OpenStore, call: Call, claim: Claim & { verdict: 'mine' }): Promise<End> {
  return new Promise((resolve) => startAttempt(tower, store, call, claim, { land: resolve }));
}

/** The open store. A call does not wait for one that opens slowly any longer than for one that answers slowly. */
function openStore(tower: Tower): MaybePromise<OpenStore> {
  const opened = tower.store();
  if (!isThenable(opened)) return opened;
  const { storeTimeoutMs, clock } = tower.settings;
  return callStore('open', storeTimeoutMs, clock, () => opened);
}

/** How long a call still waits, milliseconds. */
export function timeLeft(tower: Tower, call: Call): number {
  return call.waitMs === false ? 0 : call.arrivedAt + call.waitMs - tower.settings.clock.monotonic();
}

async function giveBack(tower: Tower, store: OpenStore, call: Call): Promise<void> {
  try {
    const { storeTimeoutMs, clock } = tower.settings;
    await callStore('release', storeTimeoutMs, clock, (deadline) =>
      store.release(call.key, call.token, call.ttlMs, deadline),
    );
  } catch {
    // Best effort: the lease ends by itself, and the failure that led here has been told.
  }
}
