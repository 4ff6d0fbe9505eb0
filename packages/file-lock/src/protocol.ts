import type { Proof } from './identity.js';

/**
 * The lock protocol as a pure state machine. `decide` says which single file system call comes next; a driver makes it
 * and hands the result back as an event. Production (`runToEnd` in `lock-fs.ts`) and the model check run this same code.
 *
 * Layout: `F.lock/` is a directory with the sticky bit; the lock is held iff it has one entry `o-<identity>/`.
 *
 *   claim     mkdir F.lock.new-<me>, mkdir F.lock.new-<me>/<me>, rename F.lock.new-<me> -> F.lock     (fails if not empty)
 *   take over touch F.lock/o-X, rename F.lock/o-X -> F.lock/<me>                   (compare-and-swap: one renamer wins)
 *   commit    write F.lock/<me>/s-1, rename F.lock/<me>/s-1 -> F         (the path is gone after a takeover: kernel refuses)
 *   release   rmdir F.lock/<me>, rmdir F.lock                              (fails on the first if lost; a successor is safe)
 *
 * Crash at any step leaves one of: nothing, a private `.new-` directory (swept), an empty sticky `F.lock` (free: only we
 * set the bit), or `F.lock/o-X` of a dead X (taken over; its staged files are removed by the successor).
 */

/** One file system call, or a proof about an owner's process. */
export type Effect =
  | { do: 'list'; path: string }
  | { do: 'stat'; path: string }
  | { do: 'prove'; name: string }
  | { do: 'mkdir'; path: string; marked: boolean }
  | { do: 'touch'; path: string }
  | { do: 'rename'; from: string; to: string }
  | { do: 'rmdir'; path: string }
  | { do: 'unlink'; path: string }
  | { do: 'stage'; path: string };

/** What came of an effect. */
export type Event =
  | { type: 'begin' }
  | { type: 'listed'; names: readonly string[] }
  | { type: 'statted'; heartbeat: number; marked: boolean }
  | { type: 'proved'; proof: Proof }
  | { type: 'done' }
  | { type: 'failed'; code: string; error?: unknown };

export type Step<S> = { state: S; effect: Effect | undefined };

/** When an owner may be replaced. */
export type Takeover = 'dead-or-stale' | 'dead-or-unproven' | 'dead-only';

/** Whose lock, which, and by which rules; fixed for one contender. */
export interface Contest {
  /** The lock directory, `F.lock`. */
  readonly lock: string;
  /** My name, `o-…`; new for every acquisition. */
  readonly me: string;
  readonly takeover: Takeover;
  readonly staleMs: number;
}

/** A heartbeat that I have seen unchanged since `sinceMs` on my own monotonic clock. */
export interface Observation {
  readonly heartbeat: number;
  readonly sinceMs: number;
}

/** Why a contender must wait. `owner` is undefined for a plain peer. */
export interface Held {
  readonly owner: string | undefined;
  readonly proof: Proof;
  readonly heartbeat: number;
}

/** What the claim must still find at `F.lock` just before its rename. */
type Expected = 'absent' | 'marked' | number;

type Carried = { contest: Contest; seen: Observation | undefined };

export type AcquireState = Carried &
  (
    | { at: 'looking' }
    | { at: 'proving'; owner: string }
    | { at: 'reading-heartbeat'; owner: string; proof: Proof }
    | { at: 'reading-empty' }
    | { at: 'building'; expected: Expected }
    | { at: 'entering'; expected: Expected }
    | { at: 'rechecking'; expected: Expected }
    | { at: 'claiming' }
    | { at: 'unbuilding-entry' }
    | { at: 'unbuilding' }
    | { at: 'touching'; owner: string }
    | { at: 'taking'; owner: string }
    | { at: 'confirming'; owner: string }
    | { at: 'inheriting'; owner: string }
    | { at: 'sweeping'; owner: string; left: readonly string[] }
    | { at: 'owned'; takenFrom: string | undefined }
    /** `held` is undefined when another contender was quicker: look again soon. */
    | { at: 'waiting'; held: Held | undefined }
    | { at: 'broken'; doing: string; error: unknown; code: string }
  );

export type CommitState = { contest: Contest; stage: string; file: string } & (
  | { at: 'staging' }
  | { at: 'publishing' }
  | { at: 'checking'; error: unknown; code: string }
  | { at: 'committed' }
  | { at: 'commit-lost' }
  | { at: 'commit-broken'; error: unknown; code: string }
);

export type ReleaseState = { contest: Contest } & (
  | { at: 'leaving' }
  | { at: 'emptying' }
  | { at: 'discarding'; left: readonly string[] }
  | { at: 'closing' }
  | { at: 'released' }
  | { at: 'release-lost' }
  | { at: 'release-broken'; error: unknown; code: string }
);

/** Where a fresh attempt starts; `seen` is what earlier attempts have observed. */
export function beginAcquire(contest: Contest, seen: Observation | undefined): Step<AcquireState> {
  return look({ contest, seen });
}

/** Where a commit starts: `stage` is a name inside my own directory, `file` what it replaces. */
export function beginCommit(contest: Contest, stage: string, file: string): Step<CommitState> {
  return { state: { at: 'staging', contest, stage, file }, effect: { do: 'stage', path: stagePath(contest, stage) } };
}

/** Where a release starts. */
export function beginRelease(contest: Contest): Step<ReleaseState> {
  return { state: { at: 'leaving', contest }, effect: { do: 'rmdir', path: mine(contest) } };
}

/** The next step of an attempt to acquire. `now` is the contender's monotonic clock in milliseconds. */
export function decideAcquire(state: AcquireState, event: Event, now: number): Step<AcquireState> {
  const carried: Carried = { contest: state.contest, seen: state.seen };
  const { lock, me } = state.contest;
  const code = event.type === 'failed' ? event.code : '';
  const broken = (doing: string): Step<AcquireState> => ({
    state: { ...carried, at: 'broken', doing, code, error: event.type === 'failed' ? event.error : undefined },
    effect: undefined,
  });

  switch (state.at) {
    case 'looking': {
      if (code === 'ENOENT') return build(carried, 'absent');
      if (event.type !== 'listed') return broken('look into');
      const owner = event.names.find((name) => name.startsWith('o-'));
      if (owner !== undefined)
        return { state: { ...carried, at: 'proving', owner }, effect: { do: 'prove', name: owner } };
      if (event.names.length > 0) return wait(carried, { owner: undefined, proof: 'unproven', heartbeat: 0 });
      return { state: { ...carried, at: 'reading-empty' }, effect: { do: 'stat', path: lock } };
    }
    case 'proving': {
      if (event.type !== 'proved') return broken('prove the owner of');
      if (event.proof === 'dead') return touch(carried, state.owner);
      return {
        state: { ...carried, at: 'reading-heartbeat', owner: state.owner, proof: event.proof },
        effect: { do: 'stat', path: `${lock}/${state.owner}` },
      };
    }
    case 'reading-heartbeat': {
      if (code === 'ENOENT') return look(carried);
      if (event.type !== 'statted') return broken('read the heartbeat of');
      const seen = observe(state.seen, event.heartbeat, now);
      const held = { owner: state.owner, proof: state.proof, heartbeat: event.heartbeat };
      const next = { ...carried, seen };
      return mayTake(state.contest, held, seen, now) ? touch(next, state.owner) : wait(next, held);
    }
    case 'reading-empty': {
      if (code === 'ENOENT') return look(carried);
      if (event.type !== 'statted') return broken('look at');
      if (event.marked) return build(carried, 'marked'); // left between the two rmdirs of a release
      const seen = observe(state.seen, event.heartbeat, now);
      const held = { owner: undefined, proof: 'unproven', heartbeat: event.heartbeat } as const;
      const next = { ...carried, seen };
      return mayTake(state.contest, held, seen, now) ? build(next, event.heartbeat) : wait(next, held);
    }
    case 'building':
      if (event.type !== 'done') return broken('create a directory beside');
      return {
        state: { ...carried, at: 'entering', expected: state.expected },
        effect: { do: 'mkdir', path: `${privateDirectory(state.contest)}/${me}`, marked: false },
      };
    case 'entering':
      if (event.type !== 'done') return broken('create a directory beside');
      return { state: { ...carried, at: 'rechecking', expected: state.expected }, effect: { do: 'stat', path: lock } };
    case 'rechecking': {
      // rename replaces an empty directory: a plain peer that made one since the first look must not be overrun.
      const found: Expected | undefined =
        code === 'ENOENT' ? 'absent' : event.type !== 'statted' ? undefined : event.marked ? 'marked' : event.heartbeat;
      if (found === undefined) return broken('look at');
      if (found !== 'absent' && found !== 'marked' && found !== state.expected) return unbuild(carried);
      return {
        state: { ...carried, at: 'claiming' },
        effect: { do: 'rename', from: privateDirectory(state.contest), to: lock },
      };
    }
    case 'claiming':
      if (event.type === 'done') return { state: { ...carried, at: 'owned', takenFrom: undefined }, effect: undefined };
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM' || code === 'ENOTDIR') return unbuild(carried);
      return broken('claim');
    case 'unbuilding-entry':
      return {
        state: { ...carried, at: 'unbuilding' },
        effect: { do: 'rmdir', path: privateDirectory(state.contest) },
      };
    case 'unbuilding':
      return wait(carried, undefined);
    case 'touching':
      if (code === 'ENOENT') return look(carried);
      if (event.type !== 'done') return broken('touch the owner of');
      return {
        state: { ...carried, at: 'taking', owner: state.owner },
        effect: { do: 'rename', from: `${lock}/${state.owner}`, to: mine(state.contest) },
      };
    case 'taking':
      if (event.type === 'done') return inherit(carried, state.owner);
      if (code !== 'ENOENT') return broken('take over');
      // A network file system may replay a rename that succeeded: then my directory is there.
      return {
        state: { ...carried, at: 'confirming', owner: state.owner },
        effect: { do: 'stat', path: mine(state.contest) },
      };
    case 'confirming':
      return event.type === 'statted' ? inherit(carried, state.owner) : wait(carried, undefined);
    case 'inheriting':
      if (code === 'ENOENT') return wait(carried, undefined); // taken from me already: I stalled
      return sweep(carried, state.owner, event.type === 'listed' ? event.names : []); // EMFILE: swept at release
    case 'sweeping':
      return sweep(carried, state.owner, state.left);
    case 'owned':
    case 'waiting':
    case 'broken':
      return { state, effect: undefined };
  }
}

/** The next step of a commit. */
export function decideCommit(state: CommitState, event: Event): Step<CommitState> {
  const { contest, stage, file } = state;
  const code = event.type === 'failed' ? event.code : '';
  const error = event.type === 'failed' ? event.error : undefined;
  switch (state.at) {
    case 'staging':
      if (event.type === 'done')
        return {
          state: { contest, stage, file, at: 'publishing' },
          effect: { do: 'rename', from: stagePath(contest, stage), to: file },
        };
      return {
        state: { contest, stage, file, at: 'checking', code, error },
        effect: { do: 'stat', path: mine(contest) },
      };
    case 'publishing':
      if (event.type === 'done') return { state: { contest, stage, file, at: 'committed' }, effect: undefined };
      return {
        state: { contest, stage, file, at: 'checking', code, error },
        effect: { do: 'stat', path: mine(contest) },
      };
    case 'checking': {
      const lost = code === 'ENOENT';
      return lost
        ? { state: { contest, stage, file, at: 'commit-lost' }, effect: undefined }
        : {
            state: { contest, stage, file, at: 'commit-broken', code: state.code, error: state.error },
            effect: undefined,
          };
    }
    case 'committed':
    case 'commit-lost':
    case 'commit-broken':
      return { state, effect: undefined };
  }
}

/** The next step of a release. */
export function decideRelease(state: ReleaseState, event: Event): Step<ReleaseState> {
  const { contest } = state;
  const code = event.type === 'failed' ? event.code : '';
  const broken = (): Step<ReleaseState> => ({
    state: { contest, at: 'release-broken', code, error: event.type === 'failed' ? event.error : undefined },
    effect: undefined,
  });
  const lost: Step<ReleaseState> = { state: { contest, at: 'release-lost' }, effect: undefined };
  switch (state.at) {
    case 'leaving':
      if (event.type === 'done')
        return { state: { contest, at: 'closing' }, effect: { do: 'rmdir', path: contest.lock } };
      if (code === 'ENOENT') return lost;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') return broken();
      return { state: { contest, at: 'emptying' }, effect: { do: 'list', path: mine(contest) } };
    case 'emptying':
      if (code === 'ENOENT') return lost;
      if (event.type !== 'listed') return broken();
      return discard(contest, event.names);
    case 'discarding':
      return discard(contest, state.left);
    case 'closing':
      return { state: { contest, at: 'released' }, effect: undefined }; // not empty: somebody else is in already
    case 'released':
    case 'release-lost':
    case 'release-broken':
      return { state, effect: undefined };
  }
}

/** Keeps the time since which this heartbeat has been seen, and starts anew when it moved. */
function observe(seen: Observation | undefined, heartbeat: number, now: number): Observation {
  return seen !== undefined && seen.heartbeat === heartbeat ? seen : { heartbeat, sinceMs: now };
}

function mayTake(contest: Contest, held: Held, seen: Observation, now: number): boolean {
  if (contest.takeover === 'dead-only') return false;
  if (contest.takeover === 'dead-or-unproven' && held.proof === 'alive') return false;
  return now - seen.sinceMs >= contest.staleMs;
}

function look(carried: Carried): Step<AcquireState> {
  return { state: { ...carried, at: 'looking' }, effect: { do: 'list', path: carried.contest.lock } };
}

function wait(carried: Carried, held: Held | undefined): Step<AcquireState> {
  return { state: { ...carried, at: 'waiting', held }, effect: undefined };
}

function build(carried: Carried, expected: Expected): Step<AcquireState> {
  const effect: Effect = { do: 'mkdir', path: privateDirectory(carried.contest), marked: true };
  return { state: { ...carried, at: 'building', expected }, effect };
}

function unbuild(carried: Carried): Step<AcquireState> {
  const effect: Effect = { do: 'rmdir', path: `${privateDirectory(carried.contest)}/${carried.contest.me}` };
  return { state: { ...carried, at: 'unbuilding-entry' }, effect };
}

/**
 * Before the swap the heartbeat is moved: rename keeps the old time, and a contender that has watched the old owner
 * go stale would see the new owner just as stale and take the lock from it.
 */
function touch(carried: Carried, owner: string): Step<AcquireState> {
  return {
    state: { ...carried, at: 'touching', owner },
    effect: { do: 'touch', path: `${carried.contest.lock}/${owner}` },
  };
}

function inherit(carried: Carried, owner: string): Step<AcquireState> {
  return { state: { ...carried, at: 'inheriting', owner }, effect: { do: 'list', path: mine(carried.contest) } };
}

/** What the old owner had staged would make my first commit fail, or stay for ever. */
function sweep(carried: Carried, owner: string, names: readonly string[]): Step<AcquireState> {
  const [first, ...left] = names;
  if (first === undefined) return { state: { ...carried, at: 'owned', takenFrom: owner }, effect: undefined };
  const effect: Effect = { do: 'unlink', path: `${mine(carried.contest)}/${first}` };
  return { state: { ...carried, at: 'sweeping', owner, left }, effect };
}

function discard(contest: Contest, names: readonly string[]): Step<ReleaseState> {
  const [first, ...left] = names;
  if (first === undefined) return beginRelease(contest);
  return { state: { contest, at: 'discarding', left }, effect: { do: 'unlink', path: `${mine(contest)}/${first}` } };
}

/** My directory while I hold the lock. */
export function mine(contest: Contest): string {
  return `${contest.lock}/${contest.me}`;
}

/** Where a claim is prepared out of sight. */
function privateDirectory(contest: Contest): string {
  return `${contest.lock}.new-${contest.me}`;
}

export function stagePath(contest: Contest, stage: string): string {
  return `${mine(contest)}/${stage}`;
}
