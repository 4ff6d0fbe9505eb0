import type { Clock } from '@holdfast/clock';
import type { LaneTerms } from './key.js';
import type { EncodedValue } from './value.js';

/** A finished step: its name and what it gave. */
export type Step = readonly [name: string, value: EncodedValue];

/** A run that is going on (`until` ahead), whose owner died (`until` past) or that failed and may be resumed (`until` 0). */
export interface Run {
  readonly state: string;
  /** The same for every attempt at this run. */
  readonly id: string;
  /** Who may settle, renew and release it. */
  readonly token: string;
  readonly attempt: number;
  readonly claimedAt: number;
  readonly until: number;
  readonly steps: readonly Step[];
  /** Absent for a plain key. */
  readonly lane?: { readonly sender: string | undefined; readonly repeat: boolean } | undefined;
}

/** What a settled run left. */
export interface Delivered {
  readonly state: string;
  /** When the run that settled was claimed: windows count from here. */
  readonly at: number;
  readonly settledAt: number;
  readonly attempt: number;
  readonly value: EncodedValue;
  readonly sender?: string | undefined;
  readonly repeat?: boolean | undefined;
}

/** All that a store keeps for a key. A plain key is a lane with one state and no window. */
export interface KeyRecord {
  readonly run: Run | undefined;
  readonly last: Delivered | undefined;
  /** Lanes only: states delivered before the last one, newest first. */
  readonly older: readonly Delivered[] | undefined;
  readonly expiresAt: number;
}

/** What a claimant brings. `token` and `id` may be getters: they are only read when needed. */
export interface ClaimRequest {
  readonly token: string;
  /** The id of the run, if this claim starts a new one. */
  readonly id: string;
  /** The lane's state; for a plain key the fingerprint of what is asked, `''` without one. */
  readonly state: string;
  readonly lane: LaneTerms | undefined;
  readonly leaseMs: number;
  /** How long an unfinished run keeps its id and steps after its lease. */
  readonly keepMs: number;
  /** When it was sent, monotonic. A store on the same clock takes the time from here: it is read once, when it is asked for. */
  readonly sent?: { readonly clock: Clock; readonly atMs: number } | undefined;
}

/** Why a claimant became the owner. */
export type RunReason = 'first' | 'state-changed' | 'repeat' | 'window-over' | 'retry' | 'takeover';
/** Why a claimant is given what an earlier run gave. */
export type ReplayReason = 'settled' | 'same-state' | 'copy-of-repeat' | 'stale-sender';

/** The verdict on a claim, as the claimant is told it. */
export type Claim =
  | {
      readonly verdict: 'mine';
      readonly id: string;
      readonly attempt: number;
      readonly steps: readonly Step[];
      readonly reason: RunReason;
    }
  | { readonly verdict: 'busy'; readonly leftMs: number }
  | {
      readonly verdict: 'done';
      readonly value: EncodedValue;
      readonly attempt: number;
      readonly ageMs: number;
      readonly reason: ReplayReason;
    }
  | { readonly verdict: 'reused' };

/** An earlier run's answer. */
export type Replayed = Claim & { verdict: 'done' };

/** The verdict on a claim and, where the claimant becomes the owner, the record to put. */
export type Decision = Exclude<Claim, { verdict: 'mine' }> | (Claim & { verdict: 'mine'; readonly record: KeyRecord });

/** How many earlier states a lane remembers: a group flaps through a handful within a peer's wait. */
export const MAX_OLDER = 7;

/**
 * Decides a claim. Pure: the memory and the file store apply it inside one synchronous turn, the MongoDB store sends the
 * same rule as one update pipeline.
 */
export function decideClaim(stored: KeyRecord | undefined, request: ClaimRequest, now: number): Decision {
  const record = stored !== undefined && now < stored.expiresAt ? stored : undefined;
  const run = record?.run;
  if (record && run && now < run.until) {
    // The claimant's own retry after an answer that got lost.
    if (run.token === request.token) return mine(record, run, 'first');
    if (differs(run.state, request)) return { verdict: 'reused' };
    return { verdict: 'busy', leftMs: run.until - now };
  }
  const last = record?.last;
  if (record && last) {
    if (differs(last.state, request)) return { verdict: 'reused' };
    const absorbed = absorb(record, last, request, now);
    if (absorbed) return absorbed;
  }
  return take(record, request, now);
}

/** A decision without its record. */
export function claimOf(decision: Decision): Claim {
  if (decision.verdict !== 'mine') return decision;
  const { id, attempt, steps, reason } = decision;
  return { verdict: 'mine', id, attempt, steps, reason };
}

function mine(record: KeyRecord, { id, attempt, steps }: Run, reason: RunReason): Decision {
  return { verdict: 'mine', id, attempt, steps, reason, record };
}

function done({ value, attempt, settledAt }: Delivered, now: number, reason: ReplayReason): Decision {
  return { verdict: 'done', value, attempt, ageMs: now - settledAt, reason };
}

/** A plain key asked for with another fingerprint. Calls without one match any. */
function differs(state: string, request: ClaimRequest): boolean {
  return request.lane === undefined && state !== request.state && state !== '' && request.state !== '';
}

function absorb(record: KeyRecord, last: Delivered, request: ClaimRequest, now: number): Decision | undefined {
  const { lane } = request;
  if (lane === undefined) return done(last, now, 'settled');
  const age = now - last.at;
  if (last.state === request.state) {
    if (lane.repeat) {
      return last.repeat && age < lane.repeat.ms ? done(last, now, 'copy-of-repeat') : undefined;
    }
    return age < lane.windowMs ? done(last, now, 'same-state') : undefined;
  }
  if (!lane.late || age >= lane.late.ms || lane.late.sender === last.sender) return undefined;
  const delivered = record.older?.find(({ state }) => state === request.state);
  return delivered && done(delivered, now, 'stale-sender');
}

const NO_STEPS: readonly Step[] = [];

function take(record: KeyRecord | undefined, request: ClaimRequest, now: number): Decision {
  const { lane } = request;
  const before = record?.run;
  const resumed = before && before.state === request.state ? before : undefined;
  const run: Run = {
    state: request.state,
    id: resumed ? resumed.id : request.id,
    token: request.token,
    attempt: resumed ? resumed.attempt + 1 : 1,
    claimedAt: now,
    until: now + request.leaseMs,
    steps: resumed ? resumed.steps : NO_STEPS,
    lane: lane && { sender: lane.late?.sender, repeat: lane.repeat !== undefined },
  };
  const expiresAt = Math.max(record?.expiresAt ?? 0, now + request.leaseMs + request.keepMs);
  return mine({ run, last: record?.last, older: record?.older, expiresAt }, run, reasonFor(record, resumed, request));
}

function reasonFor(record: KeyRecord | undefined, resumed: Run | undefined, request: ClaimRequest): RunReason {
  if (resumed) return resumed.until === 0 ? 'retry' : 'takeover';
  if (!record?.last) return 'first';
  if (record.last.state !== request.state) return 'state-changed';
  return request.lane?.repeat ? 'repeat' : 'window-over';
}

/** The record of a plain key at rest and its delivery in one object: a store in memory is full of them. */
class PlainAnswer implements KeyRecord, Delivered {
  readonly state: string;
  readonly at: number;
  readonly settledAt: number;
  readonly attempt: number;
  readonly value: EncodedValue;
  readonly expiresAt: number;

  constructor(state: string, at: number, settledAt: number, attempt: number, value: EncodedValue, expiresAt: number) {
    this.state = state;
    this.at = at;
    this.settledAt = settledAt;
    this.attempt = attempt;
    this.value = value;
    this.expiresAt = expiresAt;
  }

  get run(): undefined {
    return undefined;
  }

  get last(): Delivered {
    return this;
  }

  get older(): undefined {
    return undefined;
  }
}

/** The record after its owner settled, or undefined when `token` is not the owner. */
export function settleRecord(
  record: KeyRecord | undefined,
  token: string,
  value: EncodedValue,
  ttlMs: number,
  now: number,
): KeyRecord | undefined {
  const run = record?.run;
  if (!record || !run || run.token !== token || run.until === 0) return undefined;
  const expiresAt = now + ttlMs;
  const { state, claimedAt: at, attempt } = run;
  if (!run.lane) return new PlainAnswer(state, at, now, attempt, value, expiresAt);
  const last: Delivered = { state, at, settledAt: now, attempt, value, ...run.lane };
  const before = record.last ? [record.last, ...(record.older ?? [])] : [];
  const older = before.filter((delivered) => delivered.state !== state).slice(0, MAX_OLDER);
  return { run: undefined, last, older, expiresAt: Math.max(record.expiresAt, expiresAt) };
}

/** The record with a longer lease, or undefined when `token` is not the owner. */
export function renewRecord(
  record: KeyRecord | undefined,
  token: string,
  leaseMs: number,
  keepMs: number,
  now: number,
): KeyRecord | undefined {
  const run = record?.run;
  if (!record || !run || run.token !== token || run.until === 0) return undefined;
  const expiresAt = Math.max(record.expiresAt, now + leaseMs + keepMs);
  return { ...record, run: { ...run, until: now + leaseMs }, expiresAt };
}

/** The record with its lease ended and its id and steps kept, or undefined when `token` is not the owner. */
export function releaseRecord(
  record: KeyRecord | undefined,
  token: string,
  keepMs: number,
  now: number,
): KeyRecord | undefined {
  const run = record?.run;
  if (!record || !run || run.token !== token || run.until === 0) return undefined;
  const expiresAt = record.last ? Math.max(record.expiresAt, now + keepMs) : now + keepMs;
  return { ...record, run: { ...run, until: 0 }, expiresAt };
}

/** The record with a finished step added, or undefined when `token` is not the owner. */
export function stepRecord(
  record: KeyRecord | undefined,
  token: string,
  name: string,
  value: EncodedValue,
): KeyRecord | undefined {
  const run = record?.run;
  if (!record || !run || run.token !== token || run.until === 0) return undefined;
  const steps = [...run.steps.filter((step) => step[0] !== name), [name, value] as const];
  return { ...record, run: { ...run, steps } };
}
