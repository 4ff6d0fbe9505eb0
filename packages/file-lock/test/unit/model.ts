import type { Proof } from '../../src/identity.js';
import type { Contest, Effect, Event } from '../../src/protocol.js';
import type { AcquireState } from '../../src/protocol-acquire.js';
import { beginAcquire, decideAcquire } from '../../src/protocol-acquire.js';
import type { CommitState } from '../../src/protocol-commit.js';
import { beginCommit, decideCommit } from '../../src/protocol-commit.js';
import type { ReleaseState } from '../../src/protocol-release.js';
import { beginRelease, decideRelease } from '../../src/protocol-release.js';

/**
 * Explores every interleaving of contenders that run the production step functions over a file system in memory, with a
 * crash possible before and after each call. States that were seen before are not explored again, so the search is
 * exhaustive and ends.
 */
export interface World {
  contenders: number;
  /** What is found at F.lock at the start: nothing, an empty marked directory, or an owner that is gone. */
  start: 'absent' | 'leftover' | 'owned';
  /** What can be known of an owner that is gone. A living one is always proven alive. */
  proofOfGone: Extract<Proof, 'dead' | 'unproven'>;
  /** How often `staleMs` passes at any moment, so that living owners go stale too (they never beat in this model). */
  ticks: number;
  crashes: boolean;
  /** Replaces effects, to take a rule of the protocol back. */
  sabotage?: (effect: Effect) => Effect | undefined;
}

export interface Verdict {
  states: number;
  doubleHolds: number;
  lostCommits: number;
  doubledCommits: number;
  /** Two owners' directories in one lock. */
  doubleOwners: number;
  /** A lone survivor that could not get through. */
  stuck: number;
}

interface Node {
  dir: boolean;
  marked: boolean;
  time: number;
  data: string;
}
type Disk = ReadonlyMap<string, Node>;

type Phase =
  | { in: 'acquire'; state: AcquireState; effect: Effect | undefined }
  | { in: 'read' }
  | { in: 'commit'; state: CommitState; effect: Effect | undefined; base: string }
  | { in: 'release'; state: ReleaseState; effect: Effect | undefined }
  | { in: 'done' | 'crashed' };

interface Snapshot {
  disk: Disk;
  phases: readonly Phase[];
  now: number;
  acked: string;
}

const LOCK = '/F.lock';
const FILE = '/F';
const STALE_MS = 10_000;

export function explore(world: World): Verdict {
  const verdict: Verdict = { states: 0, doubleHolds: 0, lostCommits: 0, doubledCommits: 0, doubleOwners: 0, stuck: 0 };
  const first = initial(world);
  const seen = new Set([keyOf(first)]);
  const open = [first];
  for (let snapshot = open.pop(); snapshot; snapshot = open.pop()) {
    verdict.states += 1;
    judge(world, snapshot, verdict);
    for (const next of successors(world, snapshot)) {
      const key = keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return verdict;
}

function initial(world: World): Snapshot {
  const disk = new Map<string, Node>([[FILE, { dir: false, marked: false, time: 0, data: '' }]]);
  const directory = (marked: boolean): Node => ({ dir: true, marked, time: 0, data: '' });
  if (world.start !== 'absent') disk.set(LOCK, directory(true));
  if (world.start === 'owned') {
    disk.set(`${LOCK}/o-gone`, directory(false));
    disk.set(`${LOCK}/o-gone/s-1`, { dir: false, marked: false, time: 0, data: 'half' });
  }
  // Everybody has watched the old owner's heartbeat (0) stand still for long enough.
  const phases = Array.from({ length: world.contenders }, (_, i): Phase => {
    const step = beginAcquire(contest(i), { heartbeat: 0, sinceMs: 0 });
    return { in: 'acquire', ...step };
  });
  return { disk, phases, now: STALE_MS, acked: '' };
}

const contests = new Map<number, Contest>();

/** One object each, so that a state's key says who instead of repeating the rules. */
function contest(i: number): Contest {
  let known = contests.get(i);
  if (!known) {
    known = { lock: LOCK, me: `o-${i}`, takeover: 'dead-or-stale', staleMs: STALE_MS };
    Object.defineProperty(known, 'toJSON', { value: () => i });
    contests.set(i, known);
  }
  return known;
}

function* successors(world: World, from: Snapshot): Generator<Snapshot> {
  for (let i = 0; i < from.phases.length; i++) {
    const phase = from.phases[i] as Phase;
    if (phase.in === 'done' || phase.in === 'crashed') continue;
    yield advance(world, from, i);
    if (world.crashes) yield { ...from, phases: replaced(from.phases, i, { in: 'crashed' }) };
  }
  if (from.now < STALE_MS * (1 + world.ticks)) yield { ...from, now: from.now + STALE_MS };
}

/** Contender `i` makes its next call. */
function advance(world: World, from: Snapshot, i: number): Snapshot {
  const disk = new Map(from.disk);
  const to = (phase: Phase, acked = from.acked): Snapshot => ({
    disk,
    phases: replaced(from.phases, i, phase),
    now: from.now,
    acked,
  });
  const make = (effect: Effect): Event => {
    const real = world.sabotage ? world.sabotage(effect) : effect;
    return real ? perform(disk, real, i, (name) => proofOf(world, from, name)) : { type: 'done' };
  };
  const phase = from.phases[i] as Phase;
  switch (phase.in) {
    case 'acquire': {
      if (!phase.effect) return to({ in: 'acquire', ...beginAcquire(contest(i), phase.state.seen) });
      const step = decideAcquire(phase.state, make(phase.effect), from.now);
      return to(step.state.at === 'owned' ? { in: 'read' } : { in: 'acquire', ...step });
    }
    case 'read':
      return to({ in: 'commit', ...beginCommit(contest(i), 's-1', FILE), base: disk.get(FILE)?.data ?? '' });
    case 'commit': {
      const { effect } = phase;
      if (!effect) throw new Error('a commit without an effect');
      const event = effect.do === 'stage' ? stage(disk, effect.path, `${phase.base}${i}`) : make(effect);
      const step = decideCommit(phase.state, event);
      if (step.effect) return to({ in: 'commit', ...step, base: phase.base });
      if (step.state.at === 'commit-lost') return to({ in: 'done' });
      if (step.state.at !== 'committed') throw new Error(`commit ended ${step.state.at}`);
      return to({ in: 'release', ...beginRelease(contest(i)) }, `${from.acked}${i}`);
    }
    case 'release': {
      if (!phase.effect) throw new Error('a release without an effect');
      const step = decideRelease(phase.state, make(phase.effect));
      return to(step.effect ? { in: 'release', ...step } : { in: 'done' });
    }
    default:
      return from;
  }
}

function proofOf(world: World, from: Snapshot, name: string): Proof {
  const phase = from.phases[Number(name.slice(2))];
  return phase === undefined || phase.in === 'crashed' ? world.proofOfGone : 'alive';
}

function judge(world: World, at: Snapshot, verdict: Verdict): void {
  const holding = at.phases.filter(
    (phase) => phase.in === 'read' || phase.in === 'commit' || (phase.in === 'release' && phase.state.at === 'leaving'),
  ).length;
  if (holding > 1 && world.ticks === 0) verdict.doubleHolds += 1;
  const content = at.disk.get(FILE)?.data ?? '';
  if ([...at.acked].some((id) => !content.includes(id))) verdict.lostCommits += 1;
  if (new Set(content).size !== content.length) verdict.doubledCommits += 1;
  if (children(at.disk, LOCK).filter((name) => name.startsWith('o-')).length > 1) verdict.doubleOwners += 1;
  const left = at.phases.flatMap((phase, i) => (phase.in === 'done' || phase.in === 'crashed' ? [] : [i]));
  if (left.length === 1 && !finishesAlone(world, at, left[0] as number)) verdict.stuck += 1;
}

/** A last survivor must get through: at once past a dead owner, after `staleMs` past one that can't be proven dead. */
function finishesAlone(world: World, at: Snapshot, i: number): boolean {
  let state = at;
  for (let steps = 0; steps < 120; steps++) {
    if (state.phases[i]?.in === 'done') return true;
    const phase = state.phases[i] as Phase;
    const waits = phase.in === 'acquire' && phase.effect === undefined;
    state = advance(
      world,
      waits && world.proofOfGone === 'unproven' ? { ...state, now: state.now + STALE_MS } : state,
      i,
    );
  }
  return false;
}

/** POSIX as far as the protocol uses it. A new time stamp is told apart by who set it and how. */
function perform(disk: Map<string, Node>, effect: Effect, by: number, proof: (name: string) => Proof): Event {
  const failed = (code: string): Event => ({ type: 'failed', code });
  switch (effect.do) {
    case 'list':
      return disk.has(effect.path) ? { type: 'listed', names: children(disk, effect.path) } : failed('ENOENT');
    case 'stat': {
      const node = disk.get(effect.path);
      return node ? { type: 'statted', heartbeat: node.time, marked: node.marked } : failed('ENOENT');
    }
    case 'prove':
      return { type: 'proved', proof: proof(effect.name) };
    case 'mkdir':
      if (disk.has(effect.path)) return failed('EEXIST');
      disk.set(effect.path, { dir: true, marked: effect.marked, time: 20 + by, data: '' });
      return { type: 'done' };
    case 'touch': {
      const node = disk.get(effect.path);
      if (!node) return failed('ENOENT');
      disk.set(effect.path, { ...node, time: 10 + by });
      return { type: 'done' };
    }
    case 'rename': {
      const node = disk.get(effect.from);
      if (!node || !disk.has(parent(effect.to))) return failed('ENOENT');
      if (node.dir && children(disk, effect.to).length > 0) return failed('ENOTEMPTY');
      for (const [path, moved] of [...disk]) {
        if (path !== effect.from && !path.startsWith(`${effect.from}/`)) continue;
        disk.delete(path);
        disk.set(effect.to + path.slice(effect.from.length), moved);
      }
      return { type: 'done' };
    }
    case 'rmdir':
      if (!disk.has(effect.path)) return failed('ENOENT');
      if (children(disk, effect.path).length > 0) return failed('ENOTEMPTY');
      disk.delete(effect.path);
      return { type: 'done' };
    case 'unlink':
      return disk.delete(effect.path) ? { type: 'done' } : failed('ENOENT');
    case 'stage':
      throw new Error('staged elsewhere');
  }
}

function stage(disk: Map<string, Node>, path: string, data: string): Event {
  if (!disk.has(parent(path))) return { type: 'failed', code: 'ENOENT' };
  if (disk.has(path)) return { type: 'failed', code: 'EEXIST' };
  disk.set(path, { dir: false, marked: false, time: 0, data });
  return { type: 'done' };
}

function children(disk: Disk, directory: string): string[] {
  const inside = `${directory}/`;
  return [...disk.keys()]
    .filter((path) => path.startsWith(inside) && !path.includes('/', inside.length))
    .map((path) => path.slice(inside.length));
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || FILE;
}

function replaced<T>(list: readonly T[], index: number, value: T): T[] {
  return list.map((old, i) => (i === index ? value : old));
}

function keyOf(snapshot: Snapshot): string {
  const disk = [...snapshot.disk].map(([path, n]) => `${path}:${n.marked ? 1 : 0}:${n.time}:${n.data}`).sort();
  const phases = snapshot.phases.map((phase) => JSON.stringify(phase));
  return `${disk.join('|')}#${phases.join('#')}#${snapshot.now}#${snapshot.acked}`;
}
