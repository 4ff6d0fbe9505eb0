import { isThenable } from '../deadline.js';
import type { Claim, ClaimRequest } from '../decide.js';
import type { Deadline, MaybePromise, OpenStore, Store } from '../store.js';
import { Oracle, type Ownership, type SentClaim, type SimulationTimes } from './oracle.js';
import { type SimulatedClock, simulatedClock } from './simulated-clock.js';

/** Options of {@link simulate}. */
export interface SimulationOptions {
  /** The store under test, for one schedule. It must take its time from `clock`, or from a server of its own. */
  store(clock: SimulatedClock): Store;
  /** All choices come from it: the same seed makes the same schedules. */
  seed: number;
  /** How many schedules to play. */
  schedules: number;
  /** Callers at a time. @defaultValue 3 */
  callers?: number | undefined;
  /** Operations on the store in each schedule, at least. @defaultValue 24 */
  operations?: number | undefined;
  /** One clock for all schedules. @defaultValue a simulated one for each */
  clock?: SimulatedClock | undefined;
  times?: Partial<SimulationTimes> | undefined;
  /** Ends it early. */
  until?: (() => boolean) | undefined;
}

/** What {@link simulate} found. */
export interface SimulationReport {
  readonly schedules: number;
  readonly operations: number;
  /** Results that the store accepted. */
  readonly settled: number;
  readonly takeovers: number;
  readonly crashes: number;
  /** Which schedule, and what it saw. The first ends the simulation. */
  readonly violations: readonly string[];
}

const TIMES: SimulationTimes = { leaseMs: 1_000, ttlMs: 20_000, windowMs: 5_000, keepMs: 600_000, slackMs: 0 };

/**
 * Plays random schedules of claims, renewals, steps, settles, releases, crashes and clock jumps by several callers against a
 * store, and holds it to its promises: never two live owners, never a lost result, nothing accepted from a replaced owner, no
 * finished step lost, no key stuck. Operations are sent before earlier ones are heard of, so that check-then-set shows.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const totals = { schedules: 0, operations: 0, settled: 0, takeovers: 0, crashes: 0 };
  for (let schedule = 0; schedule < options.schedules && !options.until?.(); schedule++) {
    const played = new Schedule(options, schedule);
    const violations = await played.play();
    totals.schedules++;
    for (const name of ['operations', 'settled', 'takeovers', 'crashes'] as const) totals[name] += played.counts[name];
    if (violations.length > 0)
      return { ...totals, violations: violations.map((what) => `seed ${options.seed}, schedule ${schedule}: ${what}`) };
    if (schedule % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
  }
  return { ...totals, violations: [] };
}

/** What a caller waits for. `hear` is called with the store's answer, at a step of the scheduler's choice. */
interface Pending {
  readonly answer: MaybePromise<unknown>;
  hear(answer: unknown): void;
}

interface Caller {
  pending: Pending | undefined;
  owner: Ownership | undefined;
}

class Schedule {
  readonly counts = { operations: 0, settled: 0, takeovers: 0, crashes: 0 };
  readonly #options: SimulationOptions;
  readonly #times: SimulationTimes;
  readonly #clock: SimulatedClock;
  readonly #oracle: Oracle;
  readonly #random: () => number;
  readonly #namespace: string;
  readonly #callers: Caller[];
  #store!: OpenStore;
  #step = 0;
  #named = 0;

  constructor(options: SimulationOptions, schedule: number) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#clock = options.clock ?? simulatedClock();
    this.#oracle = new Oracle(this.#times);
    this.#random = generator(options.seed * 1_000_003 + schedule);
    this.#namespace = `simulation ${options.seed} ${schedule}`;
    this.#callers = Array.from({ length: options.callers ?? 3 }, () => ({ pending: undefined, owner: undefined }));
  }

  async play(): Promise<readonly string[]> {
    const { operations = 24 } = this.#options;
    const context = { namespace: this.#namespace, clock: this.#clock, storeTimeoutMs: 5_000, emit: () => undefined };
    this.#store = await this.#options.store(this.#clock).open(context);
    while (this.counts.operations < operations && this.#oracle.violations.length === 0) {
      const turn = this.#turn();
      if (isThenable(turn)) await turn;
    }
    for (const caller of this.#callers) await this.#hear(caller);
    await this.#clock.tick(2 * this.#times.leaseMs + this.#times.slackMs);
    for (const key of KEYS)
      this.#oracle.atRest(key.name, await this.#store.claim(key.name, this.#request(key, 'last').request, DEADLINE));
    await this.#store.close();
    return this.#oracle.violations;
  }

  /** One step: somebody acts, hears, crashes, or time passes. */
  #turn(): MaybePromise<void> {
    this.#step++;
    const dice = this.#random();
    const caller = this.#pick(this.#callers);
    if (dice < 0.12) return this.#pass();
    if (dice < 0.14) return this.#clock.jump(Math.floor((this.#random() - 0.5) * 7_200_000));
    if (dice < 0.17) {
      this.counts.crashes++;
      caller.owner = undefined;
      caller.pending = undefined;
      return undefined;
    }
    return caller.pending ? this.#hear(caller) : this.#act(caller);
  }

  #pass(): MaybePromise<void> {
    const { leaseMs, windowMs, ttlMs } = this.#times;
    const dice = this.#random();
    const ms = dice < 0.5 ? leaseMs / 3 : dice < 0.85 ? leaseMs + 1 : dice < 0.96 ? windowMs / 2 : ttlMs;
    return this.#clock.tick(Math.ceil(ms));
  }

  #act(caller: Caller): void {
    this.counts.operations++;
    const { owner } = caller;
    if (!owner) return this.#claim(caller);
    const dice = this.#random();
    if (dice < 0.3) this.#renew(caller, owner);
    else if (dice < 0.5) this.#recordStep(caller, owner);
    else if (dice < 0.85) this.#settle(caller, owner);
    else this.#release(caller, owner);
  }

  #claim(caller: Caller): void {
    const key = this.#pick(KEYS);
    const { request, claim } = this.#request(key, this.#pick(key.states));
    this.#send(caller, this.#store.claim(key.name, request, DEADLINE), (answer) => {
      const claimed = answer as Claim;
      if (claimed.verdict === 'mine' && claimed.attempt > 1) this.counts.takeovers++;
      caller.owner = this.#oracle.claimed(claim, claimed, this.#step, this.#clock.monotonic());
    });
  }

  #request(key: SimulatedKey, state: string): { request: ClaimRequest; claim: SentClaim } {
    const { leaseMs, windowMs, keepMs } = this.#times;
    const lane = key.lane ? { windowMs, late: undefined, repeat: undefined } : undefined;
    const token = `t${++this.#named}`;
    const request = { token, id: `i${this.#named}`, state, lane, leaseMs, keepMs };
    const claim = { key: key.name, lane: key.lane, state, token, sent: this.#step, sentAt: this.#clock.monotonic() };
    return { request, claim };
  }

  #renew(caller: Caller, owner: Ownership): void {
    const { leaseMs, keepMs } = this.#times;
    const [sent, sentAt] = [this.#step, this.#clock.monotonic()];
    this.#send(caller, this.#store.renew(owner.key, owner.token, leaseMs, keepMs, DEADLINE), (kept) => {
      this.#oracle.renewed(owner, sent, sentAt, kept === true);
      if (kept !== true) caller.owner = undefined;
    });
  }

  #recordStep(caller: Caller, owner: Ownership): void {
    const [name, value] = [this.#pick(['one', 'two']), `s${++this.#named}`];
    // A step of this name that an earlier attempt finished is not run again.
    if (owner.steps.some((step) => step.name === name)) return;
    const sent = this.#step;
    this.#send(caller, this.#store.step(owner.key, owner.token, name, value, DEADLINE), (kept) =>
      this.#oracle.stepped(owner, name, value, sent, this.#step, kept === true),
    );
  }

  #settle(caller: Caller, owner: Ownership): void {
    const value = `s${++this.#named}`;
    const [sent, sentAt] = [this.#step, this.#clock.monotonic()];
    this.#oracle.settling(owner, value);
    this.#send(caller, this.#store.settle(owner.key, owner.token, value, this.#times.ttlMs, DEADLINE), (kept) => {
      if (kept === true) this.counts.settled++;
      this.#oracle.settled(owner, value, sent, sentAt, this.#step, kept === true);
      caller.owner = undefined;
    });
  }

  #release(caller: Caller, owner: Ownership): void {
    const sent = this.#step;
    owner.ending = true;
    this.#send(caller, this.#store.release(owner.key, owner.token, this.#times.keepMs, DEADLINE), (kept) => {
      this.#oracle.released(owner, sent, kept === true);
      caller.owner = undefined;
    });
  }

  #send(caller: Caller, answer: MaybePromise<unknown>, hear: (answer: unknown) => void): void {
    if (isThenable(answer)) answer.catch(() => undefined); // told when heard; a crashed caller never hears
    caller.pending = { answer, hear };
  }

  #hear(caller: Caller): MaybePromise<void> {
    const { pending } = caller;
    if (!pending) return undefined;
    caller.pending = undefined;
    if (!isThenable(pending.answer)) return pending.hear(pending.answer);
    return pending.answer.then(pending.hear, () => {
      caller.owner = undefined; // it can't know what happened, as after a crash
    });
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }
}

interface SimulatedKey {
  readonly name: string;
  readonly lane: boolean;
  readonly states: readonly string[];
}

const KEYS: readonly SimulatedKey[] = [
  { name: 'plain', lane: false, states: [''] },
  { name: 'lane', lane: true, states: ['firing', 'resolved'] },
];
/** Never ends; a signal for each operation, because drivers listen to it. */
const DEADLINE: Deadline = {
  get signal() {
    return new AbortController().signal;
  },
};

/** Mulberry32: small, fast, good enough to choose steps. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
