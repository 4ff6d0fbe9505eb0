import { setMaxListeners } from 'node:events';
import { type Backoff, backoffMs, sleep } from '@holdfast/backoff';
import type { Clock } from '@holdfast/clock';
import type { Row } from './entry.js';
import { isKbError, KbError, messageOf, type Settlement } from './errors.js';
import type { KbEvent } from './events.js';
import { judge, type Verdict } from './judge.js';
import type { OpenStore, StoreWrite } from './store.js';

/** What to do with an id, seen what is in memory: write a row, or nothing because the result is known already. */
export type Plan = { readonly write: Row } | { readonly already: Row | undefined };

/** Waits between two tries at one write: a conflict with another instance, a store that can't be asked. Choice. */
const RETRY: Backoff = { minMs: 10, maxMs: 2_000, factor: 2 };

/**
 * - `waiting`: in line behind an earlier write to the same id, or planning. Nothing was sent.
 * - `sent`: the store has it, or may have it.
 * - `done`: the caller has its answer. Settling may go on behind.
 */
interface Job {
  phase: 'waiting' | 'sent' | 'done';
  readonly deadline: number;
  readonly plan: (current: Row | undefined) => Plan | Promise<Plan>;
  readonly opId: string;
  /** Made when somebody is told to wait for it. */
  settlement: { promise: Promise<Settlement>; resolve(s: Settlement): void; reject(e: unknown): void } | undefined;
  resolve(row: Row | undefined): void;
  reject(error: unknown): void;
}

interface Surroundings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly writeTimeoutMs: number;
  row(id: string): Row | undefined;
  apply(row: Row): void;
  forget(id: string, seen: Row | undefined): void;
  emit(event: KbEvent): void;
}

/**
 * Writes one at a time for each id, each answered within `writeTimeoutMs`. A write whose outcome is unknown keeps its id's
 * line waiting until it is settled; other ids go on.
 */
export class Writer {
  readonly #store: OpenStore;
  readonly #around: Surroundings;
  readonly #lines = new Map<string, Promise<void>>();
  readonly #unanswered = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  #closing = false;
  #inDoubt = 0;
  conflicts = 0;

  constructor(store: OpenStore, around: Surroundings) {
    this.#store = store;
    this.#around = around;
    setMaxListeners(0, this.#stop.signal); // one for each write that waits to be settled
  }

  /** Writes that may or may not be stored. */
  get inDoubt(): number {
    return this.#inDoubt;
  }

  /** Writes that have no answer yet. */
  get pending(): number {
    return this.#unanswered.size;
  }

  /**
   * Runs `plan` when it is `id`'s turn, as often as others are faster, and resolves with the row that is stored.
   *
   * @throws whatever `plan` throws; KbError `KB_STORE_FAILED`, `KB_UNKNOWN_OUTCOME`, `KB_CLOSED`.
   */
  write(id: string, opId: string, plan: Job['plan']): Promise<Row | undefined> {
    if (this.#closing) return Promise.reject(closed());
    const answer = new Promise<Row | undefined>((resolve, reject) => this.#enqueue(id, opId, plan, resolve, reject));
    this.#unanswered.add(answer);
    const forgetAnswer = (): void => void this.#unanswered.delete(answer);
    answer.then(forgetAnswer, forgetAnswer);
    return answer;
  }

  /** Refuses new writes, and waits until every other one has its answer. What is in doubt then is left in doubt. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled([...this.#unanswered]);
    this.#stop.abort(closed());
    await Promise.allSettled([...this.#lines.values()]);
  }

  #enqueue(id: string, opId: string, plan: Job['plan'], resolve: Job['resolve'], reject: Job['reject']): void {
    const { clock, writeTimeoutMs } = this.#around;
    const cancel = clock.schedule(writeTimeoutMs, () => this.#timeUp(id, job), { ref: true });
    const answer = (act: () => void): void => {
      if (job.phase === 'done') return;
      job.phase = 'done';
      cancel();
      act();
    };
    const job: Job = {
      phase: 'waiting',
      deadline: clock.monotonic() + writeTimeoutMs,
      plan,
      opId,
      settlement: undefined,
      resolve: (row) => answer(() => resolve(row)),
      reject: (error) => answer(() => reject(error)),
    };
    const ahead = this.#lines.get(id);
    const turn = (ahead ? ahead.then(() => this.#turn(id, job)) : this.#turn(id, job)).catch(job.reject);
    this.#lines.set(id, turn);
    void turn.then(() => {
      if (this.#lines.get(id) === turn) this.#lines.delete(id);
    });
  }

  #timeUp(id: string, job: Job): void {
    const seconds = this.#around.writeTimeoutMs / 1000;
    if (job.phase === 'sent') job.reject(unknownOutcome(id, job, `no answer within ${seconds} s`, undefined));
    else {
      const why = `the write of '${id}' was not sent within ${seconds} s: an earlier write to this id is not settled yet`;
      job.reject(new KbError('KB_STORE_FAILED', why, { id }));
    }
  }

  async #turn(id: string, job: Job): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (job.phase === 'done') return;
      const current = this.#around.row(id);
      const plan = await job.plan(current);
      if ('already' in plan) return job.resolve(plan.already);
      if (isAnswered(job)) return;
      job.phase = 'sent';
      const write: StoreWrite = { row: plan.write, base: current?.rev };
      const outcome = await this.#store.commit(write, { timeoutMs: this.#left(job) });
      if (outcome.status === 'ok') {
        job.settlement?.resolve({ status: 'written', rev: write.row.rev });
        return job.resolve(write.row);
      }
      if (outcome.status === 'failed') {
        job.settlement?.resolve({ status: 'not-written' });
        const why = `the write of '${id}' is not stored: ${messageOf(outcome.cause)}`;
        return job.reject(new KbError('KB_STORE_FAILED', why, { id, cause: outcome.cause }));
      }
      if (outcome.status === 'conflict') this.conflicts++;
      const verdict = await this.#settle(id, job, write, outcome.status === 'unknown' ? outcome.cause : undefined);
      if (verdict === 'stopped') {
        job.settlement?.reject(closed());
        return job.reject(closed());
      }
      if (verdict === 'written') {
        job.settlement?.resolve({ status: 'written', rev: write.row.rev });
        return job.resolve(write.row);
      }
      if (verdict === 'unknowable') {
        job.reject(unknownOutcome(id, job, 'others wrote to it many times since', undefined));
        return job.settlement?.resolve({ status: 'unknowable' });
      }
      job.settlement?.resolve({ status: 'not-written' });
      if (isAnswered(job)) return;
      job.phase = 'waiting';
      if (attempt > 1) await this.#pause(attempt);
    }
  }

  /** Asks the store until it is certain how `write` ended; sends it again while it may still arrive. */
  async #settle(
    id: string,
    job: Job,
    write: StoreWrite,
    cause: unknown,
  ): Promise<Exclude<Verdict, 'open'> | 'stopped'> {
    const { emit } = this.#around;
    const doubtful = cause !== undefined;
    let mayBeStored = doubtful;
    if (doubtful) {
      this.#inDoubt++;
      emit({ type: 'kb.outcome-unknown', id, opId: job.opId, reason: messageOf(cause) });
    }
    try {
      for (let attempt = 1; ; attempt++) {
        if (this.#stop.signal.aborted) return 'stopped';
        const judged = await this.#ask(id, job, write);
        // A store that answered `conflict` has not written it, however far others have gone since.
        const verdict = judged === 'unknowable' && !mayBeStored ? 'lost' : judged;
        if (verdict !== undefined && verdict !== 'open') {
          if (doubtful) {
            const status = verdict === 'lost' ? 'not-written' : verdict;
            emit({ type: 'kb.outcome-settled', id, opId: job.opId, status });
          }
          return verdict;
        }
        if (verdict === 'open') {
          const { status } = await this.#store.commit(write, { timeoutMs: this.#left(job) });
          if (status === 'ok') {
            if (doubtful) emit({ type: 'kb.outcome-settled', id, opId: job.opId, status: 'written' });
            return 'written';
          }
          if (status === 'unknown') mayBeStored = true;
        }
        if (!(await this.#pause(attempt))) return 'stopped';
      }
    } finally {
      if (doubtful) this.#inDoubt--;
    }
  }

  /** `undefined` when the store can't be asked now. Whatever it says is taken into memory. */
  async #ask(id: string, job: Job, write: StoreWrite): Promise<Verdict | undefined> {
    const seen = this.#around.row(id);
    let stored: Row | undefined;
    try {
      stored = await this.#store.read(id, { timeoutMs: this.#left(job) });
    } catch (error) {
      // What stands there can't be read: it is not this write's, and the plan refuses to write over it.
      if (isKbError(error, 'KB_STORE_FAILED')) return 'unknowable';
      return undefined; // it is asked again after a pause; the caller's deadline says so if it stays away
    }
    if (stored) this.#around.apply(stored);
    else this.#around.forget(id, seen);
    return judge(stored, write);
  }

  /** What is left for one call to the store: a little less than the caller has, so that the store's own answer comes first. */
  #left(job: Job): number {
    if (job.phase === 'done') return this.#around.writeTimeoutMs;
    const left = job.deadline - this.#around.clock.monotonic();
    return Math.max(1, left - Math.min(50, left / 4));
  }

  /** False when it was stopped meanwhile. */
  async #pause(attempt: number): Promise<boolean> {
    const { clock, random } = this.#around;
    try {
      await sleep(backoffMs(RETRY, attempt, random) + 1, clock, { signal: this.#stop.signal });
      return true;
    } catch {
      return false;
    }
  }
}

/** A function, so that the compiler does not remember what the phase was before an await. */
function isAnswered(job: Job): boolean {
  return job.phase === 'done';
}

function closed(): KbError {
  return new KbError('KB_CLOSED', 'the knowledge base is closed: open another');
}

function unknownOutcome(id: string, job: Job, why: string, cause: unknown): KbError {
  const message = `whether the write of '${id}' is stored is unknown (${why}): settle() tells when the store can be asked`;
  job.settlement ??= deferred();
  const { promise } = job.settlement;
  return new KbError('KB_UNKNOWN_OUTCOME', message, { id, opId: job.opId, cause, settle: () => promise });
}

function deferred(): NonNullable<Job['settlement']> {
  let resolve: (s: Settlement) => void = () => {};
  let reject: (e: unknown) => void = () => {};
  const promise = new Promise<Settlement>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  promise.catch(() => {}); // nobody has to ask
  return { promise, resolve, reject };
}
