import type { Clock } from '@holdfast/clock';
import type { Collaborators } from '../context.js';
import { JournalError } from '../errors.js';
import type { JournalOwnership } from '../ownership.js';
import { type Protocol, protocol } from '../protocol.js';
import { type Fault, memoryDisk, type SystemCall } from './memory-disk.js';
import type { Random } from './random.js';

/** A machine with one disk and one journal directory, whose processes run one system call at a time, in a random order. */
export class Machine {
  readonly disk = memoryDisk();
  /** System calls and turns of the event loop that were made. */
  steps = 0;
  #random: Random;
  #processes: SimulatedProcess[] = [];
  #owner: SimulatedProcess | undefined;
  #now = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Time passes when somebody looks: most of the time not much. */
  readonly clock: Clock = {
    now: () => 1_700_000_000_000 + this.#now,
    monotonic: () => {
      this.#now += this.#random.oneIn(8) ? 12 : 0;
      return this.#now;
    },
    schedule: () => () => undefined,
  };

  start(planted: Partial<Protocol>, fault: (call: SystemCall) => Fault | undefined): SimulatedProcess {
    const process = new SimulatedProcess(this, { ...protocol, ...planted }, fault);
    this.#processes.push(process);
    return process;
  }

  /** Lets one process make one step. False if none can. */
  async step(): Promise<boolean> {
    const able = this.#processes.filter((process) => process.able);
    if (able.length === 0) return false;
    this.steps++;
    able[this.#random.below(able.length)]!.takeStep(this.#random);
    await settled();
    return true;
  }

  ownedBy(process: SimulatedProcess): boolean {
    return this.#owner === process;
  }

  powerCut(): void {
    for (const process of this.#processes) process.kill();
    this.#processes = [];
    this.#owner = undefined;
    this.disk.powerCut(this.#random);
  }

  /** What file-lock does: a live owner is respected, a dead one, or one that can't be told from a dead one, is replaced. */
  acquire(process: SimulatedProcess): JournalOwnership {
    if (this.#owner?.state === 'running' && this.#owner !== process)
      throw new JournalError('JOURNAL_LOCKED', 'another process of the simulation owns the directory');
    this.#owner = process;
    return {
      assertHeld: () => {
        if (this.#owner !== process) throw new Error('the directory is lost');
      },
      // Never told: the hardest case is an owner that notices nothing by itself.
      signal: new AbortController().signal,
      release: async () => {
        if (this.#owner === process) this.#owner = undefined;
      },
    };
  }
}

/** Calls that change nothing: they happen with the one before them. A process still may be killed or stopped in them. */
const UNSEEN = new Set<SystemCall['name']>(['read', 'stat', 'close', 'readdir']);

/** A process: what it may do next waits until it is picked. */
export class SimulatedProcess {
  state: 'running' | 'stopped' | 'dead' = 'running';
  readonly collaborators: Collaborators;
  #waiting: (() => void)[] = [];

  constructor(machine: Machine, rules: Protocol, fault: (call: SystemCall) => Fault | undefined) {
    const nextTurn = (): Promise<void> => {
      if (this.state === 'dead') return new Promise(() => undefined);
      return new Promise((resolve) => this.#waiting.push(resolve));
    };
    const turn = ({ name }: SystemCall): Promise<void> | undefined =>
      this.state === 'running' && UNSEEN.has(name) ? undefined : nextTurn();
    this.collaborators = {
      fs: machine.disk.fileSystem({ fault, turn }),
      protocol: rules,
      acquire: async () => machine.acquire(this),
      nextTurn,
    };
  }

  get able(): boolean {
    return this.state === 'running' && this.#waiting.length > 0;
  }

  takeStep(random: Random): void {
    const [step] = this.#waiting.splice(random.below(this.#waiting.length), 1);
    step!();
  }

  kill(): void {
    this.state = 'dead';
    this.#waiting = [];
  }

  /** SIGSTOP. */
  stop(): void {
    this.state = 'stopped';
  }

  /** SIGCONT. Calls that were under way when it was stopped happen now. */
  wake(): void {
    if (this.state === 'stopped') this.state = 'running';
  }
}

/**
 * Lets everything that follows from a step happen, up to the next calls. A tick that is asked for in a promise callback
 * comes when all of them have run; one asked for in another tick would come before any.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
