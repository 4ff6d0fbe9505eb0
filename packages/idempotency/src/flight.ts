import { sleep } from '@holdfast/backoff';
import { runAttempt, runBypassed } from './attempt.js';
import type { Call, End, Tower } from './call.js';
import { callStore, isThenable } from './deadline.js';
import type { ClaimRequest } from './decide.js';
import { readableKey } from './key.js';
import { busyError, reusedError } from './refusals.js';
import type { Claim, MaybePromise, OpenStore } from './store.js';
import { decodeValue } from './value.js';

/** Between two looks at a run of another instance: from the first to the second, growing by half, with jitter. */
const POLL_MIN_MS = 20;
const POLL_MAX_MS = 500;

/** One claim as it is sent; token and id are made only when the store needs them, a replay needs neither. */
export class Claimant implements ClaimRequest {
  readonly state: string;
  readonly lane: ClaimRequest['lane'];
  readonly leaseMs: number;
  readonly keepMs: number;
  readonly #tower: Tower;
  #token: string | undefined;
  #id: string | undefined;

  constructor(tower: Tower, call: Call) {
    this.#tower = tower;
    this.state = call.state;
    this.lane = call.lane;
    this.leaseMs = tower.settings.leaseMs;
    this.keepMs = call.ttlMs;
  }

  get token(): string {
    this.#token ??= this.#tower.nextToken();
    return this.#token;
  }

  get id(): string {
    this.#id ??= this.#tower.nextId();
    return this.#id;
  }
}

/** A claim on its way. `sentAt` is taken before it is sent: the store's lease can't have begun earlier. */
export interface SentClaim {
  readonly claimant: Claimant;
  readonly sentAt: number;
  readonly answer: MaybePromise<Claim>;
}

/** Sends a claim. */
export function sendClaim(tower: Tower, store: OpenStore, call: Call, claimant: Claimant): SentClaim {
  const { storeTimeoutMs, clock } = tower.settings;
  const sentAt = clock.monotonic();
  const answer = callStore('claim', storeTimeoutMs, clock, (deadline) => store.claim(call.key, claimant, deadline));
  return { claimant, sentAt, answer };
}

/** What a finished run's answer is to the call that asks now. */
export function replay(
  tower: Tower,
  call: Call,
  claim: Claim & { verdict: 'done' },
  waited: boolean,
): End & { end: 'value' } {
  const { value, attempt, ageMs, reason } = claim;
  tower.counts.hits++;
  const key = readableKey(call.key);
  tower.emit({ type: 'call.replayed', key, reason, ageMs, attempt });
  const retryMs = call.lane?.retryMs;
  if (reason === 'same-state' && retryMs !== undefined && ageMs > retryMs)
    tower.emit({ type: 'call.absorbed_late', key, ageMs, retryMs });
  return {
    end: 'value',
    value: decodeValue(value),
    encoded: value,
    via: waited ? 'joined' : 'replayed',
    attempt,
    ageMs,
  };
}

/**
 * The way of one key (or one state of a lane) through this process: everybody in the process who asks for it meanwhile
 * waits for `ended` instead of asking the store.
 */
export class Flight {
  readonly call: Call;
  /** Never rejects. */
  readonly ended: Promise<End>;
  /** Resolves when this flight and all before it in its lane have ended. */
  readonly cleared: Promise<unknown>;
  readonly #tower: Tower;

  constructor(tower: Tower, call: Call, before: Flight | undefined, first?: SentClaim) {
    this.#tower = tower;
    this.call = call;
    this.ended = this.#fly(before, first).catch((error: unknown): End => ({ end: 'error', error }));
    this.cleared = before ? before.cleared.then(() => this.ended) : this.ended;
  }

  async #fly(before: Flight | undefined, first: SentClaim | undefined): Promise<End> {
    if (before) {
      const left = await this.#waitFor(before.cleared);
      if (left) return left;
    }
    const tower = this.#tower;
    const { call } = this;
    const claimant = first?.claimant ?? new Claimant(tower, call);
    let waited = false;
    for (let look = 0; ; look++) {
      let store: OpenStore | undefined;
      let claim: Claim;
      let sentAt: number;
      try {
        const opened = openStore(tower);
        store = isThenable(opened) ? await opened : opened;
        const sent = look === 0 && first ? first : sendClaim(tower, store, call, claimant);
        sentAt = sent.sentAt;
        claim = isThenable(sent.answer) ? await sent.answer : sent.answer;
      } catch (error) {
        return this.#withoutStore(store, claimant, error);
      }
      switch (claim.verdict) {
        case 'mine':
          return runAttempt(tower, store, call, { token: claimant.token, sentAt, ...claim });
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
  #withoutStore(store: OpenStore | undefined, claimant: Claimant, error: unknown): Promise<End> | End {
    const tower = this.#tower;
    const { call } = this;
    tower.storeFailed(store ? 'claim' : 'open', error);
    if (store) void giveBack(tower, store, call, claimant.token);
    return tower.settings.onStoreError === 'run' ? runBypassed(tower, call) : { end: 'error', error };
  }
}

/** The open store. A call does not wait for one that opens slowly any longer than for one that answers slowly. */
function openStore(tower: Tower): MaybePromise<OpenStore> {
  const { storeTimeoutMs, clock } = tower.settings;
  return callStore('open', storeTimeoutMs, clock, () => tower.store());
}

/** How long a call still waits, milliseconds. */
export function timeLeft(tower: Tower, call: Call): number {
  return call.waitMs === false ? 0 : call.arrivedAt + call.waitMs - tower.settings.clock.monotonic();
}

async function giveBack(tower: Tower, store: OpenStore, call: Call, token: string): Promise<void> {
  try {
    const { storeTimeoutMs, clock } = tower.settings;
    await callStore('release', storeTimeoutMs, clock, (deadline) =>
      store.release(call.key, token, call.ttlMs, deadline),
    );
  } catch {
    // Best effort: the lease ends by itself, and the failure that led here has been told.
  }
}
