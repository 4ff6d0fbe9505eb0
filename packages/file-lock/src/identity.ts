import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * What is known of an owner: `alive` and `dead` are proofs (same host, same boot, same pid namespace; pid, thread and
 * start time match or don't). `unproven` is everything else: another host, another container, a system without /proc.
 */
export type Proof = 'alive' | 'dead' | 'unproven';

/** A {@link Proof}, and whether a living owner is stopped (SIGSTOP, a debugger): it can't take its turn at anything. */
export type Standing = Proof | 'stopped';

/** Who holds a lock. `pid` and `host` are undefined for a plain proper-lockfile peer, which leaves no name. */
export interface Holder {
  readonly pid: number | undefined;
  readonly host: string | undefined;
  readonly proof: Proof;
  /** Since its last heartbeat by the wall clocks, milliseconds; for people, no decision uses it. */
  readonly ageMs?: number | undefined;
}

/** An owner's name in the file system. Nothing else identifies it: who renames the name away has the lock. */
export interface Identity {
  readonly scope: string;
  readonly pid: number;
  /** Linux thread id; equals pid on the main thread. */
  readonly tid: number;
  /** Start time of that thread in clock ticks since boot, which tells a recycled id from the old one. */
  readonly start: string;
  readonly host: string;
}

const NAME = /^o-([0-9a-f]{10})-(\d+)-(\d+)-(\d+)-([0-9a-z]+)-([A-Za-z0-9.-]*)$/;

/** Reads an owner's name; undefined if it is none. */
function parseName(name: string): Identity | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  const [, scope, pid, tid, start, , host] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return { scope, pid: Number(pid), tid: Number(tid), start, host };
}

interface Self extends Identity {
  /** False where /proc can't be trusted: then nothing is ever proven by pid. */
  readonly provable: boolean;
  /** Tells this copy of the package from others in the thread. */
  readonly copy: string;
  readonly prefix: string;
}

let self: Self | undefined;
let sequence = 0;

/** A new owner's name, unique among all processes, threads and copies of this package. */
export function mintName(): string {
  self ??= describeSelf();
  sequence += 1;
  return `${self.prefix}-${sequence.toString(36)}z${self.copy}-${self.host}`;
}

/** Names of the holds that live in this thread, shared by all copies of the package in it. */
export function liveNames(): Set<string> {
  const registry = globalThis as { [LIVE]?: Set<string> };
  return (registry[LIVE] ??= new Set());
}
const LIVE = Symbol.for('holdfast.file-lock.live');

/** Proves, or fails to prove, that the owner called `name` lives. Reads /proc; never guesses. */
export function prove(name: string): Proof {
  const standing = standingOf(name);
  return standing === 'stopped' ? 'alive' : standing;
}

/** {@link prove}, and whether the owner is stopped. */
export function standingOf(name: string): Standing {
  self ??= describeSelf();
  const owner = parseName(name);
  if (!owner) return 'unproven';
  if (liveNames().has(name)) return 'alive';
  if (!self.provable || owner.scope !== self.scope) return 'unproven';
  return standingOfProcess(owner);
}

function standingOfProcess(owner: Identity): Standing {
  const thread = readStat(`/proc/${owner.pid}/task/${owner.tid}/stat`);
  // A zombie has exited and only waits to be reaped; another start time means that the id was given out again.
  if (thread) {
    if (thread.start !== owner.start || thread.state === 'Z' || thread.state === 'X') return 'dead';
    return thread.state === 'T' || thread.state === 't' ? 'stopped' : 'alive';
  }
  if (readStat(`/proc/${owner.pid}/stat`)) return 'dead';
  try {
    process.kill(owner.pid, 0);
    return 'unproven'; // it exists but /proc hides it (hidepid)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'dead' : 'unproven';
  }
}

/** Who an owner's name stands for. */
export function holderOf(name: string | undefined, proof: Proof, ageMs?: number): Holder {
  const owner = name === undefined ? undefined : parseName(name);
  return { pid: owner?.pid, host: owner?.host, proof, ...(ageMs === undefined ? {} : { ageMs }) };
}

/** "pid 12 on host a (proven alive)" for messages. */
export function describeHolder(holder: Holder): string {
  const who =
    holder.pid === undefined
      ? 'a plain proper-lockfile peer or an unknown owner'
      : `pid ${holder.pid} on ${holder.host}`;
  const proof = holder.proof === 'unproven' ? 'neither proven alive nor dead' : `proven ${holder.proof}`;
  const age = holder.ageMs === undefined ? '' : `, last heartbeat ${Math.round(holder.ageMs)} ms ago`;
  return `${who} (${proof}${age})`;
}

function describeSelf(): Self {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '')
    .slice(0, 63);
  const boot = readText('/proc/sys/kernel/random/boot_id');
  const namespace = readLink('/proc/self/ns/pid');
  const [, tid] = /^\d+\/task\/(\d+)$/.exec(readLink('/proc/thread-self')) ?? [];
  const stat = tid === undefined ? undefined : readStat(`/proc/${process.pid}/task/${tid}/stat`);
  // /proc of another pid namespace shows other processes under our numbers: then it proves nothing.
  const provable =
    boot !== '' && namespace !== '' && stat !== undefined && readStat('/proc/self/stat')?.pid === process.pid;
  const scope = provable
    ? createHash('sha256').update(`${host}\n${boot}\n${namespace}`).digest('hex')
    : randomBytes(8).toString('hex');
  const identity = {
    scope: scope.slice(0, 10),
    pid: process.pid,
    tid: Number(tid ?? process.pid),
    start: stat?.start ?? '0',
    host,
  };
  const prefix = `o-${identity.scope}-${identity.pid}-${identity.tid}-${identity.start}`;
  return { ...identity, provable, copy: randomBytes(5).toString('hex'), prefix };
}

function readStat(path: string): { pid: number; state: string; start: string } | undefined {
  const text = readText(path);
  const close = text.lastIndexOf(')'); // the command name may hold spaces and parentheses
  if (close < 0) return undefined;
  const fields = text.slice(close + 2).split(' ');
  return { pid: Number.parseInt(text, 10), state: fields[0] ?? '', start: fields[19] ?? '' };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
