import type { Proof } from './identity.js';
import type { Contest, Effect, Event, Held, Observation, Step } from './protocol.js';
import { mine, privateDirectory } from './protocol.js';

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

/** Where a fresh attempt starts; `seen` is what earlier attempts have observed. */
export function beginAcquire(contest: Contest, seen: Observation | undefined): Step<AcquireState> {
  return look({ contest, seen });
}

/**
 * Where breaking the lock of exactly this owner starts, whatever is known of it; for a plain peer, who has no name, of the
 * directory with exactly this heartbeat. Ends `owned`, or comes back to `looking` or `waiting` if that owner is gone.
 */
export function beginBreak(contest: Contest, owner: string | { heartbeat: number }): Step<AcquireState> {
  const carried: Carried = { contest, seen: undefined };
  return typeof owner === 'string' ? touch(carried, owner) : build(carried, owner.heartbeat);
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

/** Keeps the time since which this heartbeat has been seen, and starts anew when it moved. */
export function observe(seen: Observation | undefined, heartbeat: number, now: number): Observation {
  return seen !== undefined && seen.heartbeat === heartbeat ? seen : { heartbeat, sinceMs: now };
}

/** Whether an owner that is not proven dead may be replaced by now. */
export function mayTake(
  contest: Pick<Contest, 'takeover' | 'staleMs'>,
  held: Pick<Held, 'proof'>,
  seen: Observation,
  now: number,
): boolean {
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
