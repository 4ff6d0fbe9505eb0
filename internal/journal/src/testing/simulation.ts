import { setImmediate as immediate } from 'node:timers/promises';
import type { JournalEvent } from '../contract.js';
import { isJournalError } from '../errors.js';
import { openJournalWith } from '../open.js';
import { resolveOptions } from '../options.js';
import type { Protocol } from '../protocol.js';
import { Ledger, type SimulatedRecord } from './ledger.js';
import { Machine, type SimulatedProcess } from './machine.js';
import type { Fault, SystemCall } from './memory-disk.js';
import { type Random, seededRandom } from './random.js';

/** What one schedule did and found. */
export interface ScheduleReport {
  seed: number;
  /** Appends and compactions that were asked for, by how many writers. */
  operations: number;
  writers: number;
  /** How the processes ended that did not close: killed, power cut, or stopped and replaced. */
  crashes: number;
  /** System calls, and turns of the event loop, that were made one by one. */
  steps: number;
  acknowledged: number;
  /** Records lost, invented, torn apart, gone back or stored against the answer; damage that nobody did; a journal that hangs. */
  violations: string[];
}

type CrashKind = 'kill' | 'power' | 'stop';

/** What goes wrong in one life of a process, by the number of its system call. */
interface Mishaps {
  crash: { at: number; kind: CrashKind } | undefined;
  /** A call that fails; of an fsync the bytes are lost. */
  error: { at: number } | undefined;
  /** The disk is full from this call on, until the process ends. */
  full: { at: number; freeBytes: number } | undefined;
}

const NO_MISHAPS: Mishaps = { crash: undefined, error: undefined, full: undefined };

/** Far more than any life makes: one that makes more hangs. */
const MOST_STEPS = 20_000;

/**
 * Runs the journal's own code, on a disk in memory, through one random schedule: at least 20 operations of at least 3 writers
 * over several lives of a process, each life but the last ended at any system call by a kill, a power cut or a stop after
 * which another process takes over; with short writes, failing calls and a full disk in between. Compares what each open finds,
 * and what is there after a last power cut, with what was acknowledged: nothing is lost, invented, half there or older than
 * before. The same seed makes the same schedule.
 *
 * @param planted steps of the protocol to replace by wrong ones
 */
export async function simulate(seed: number, planted: Partial<Protocol> = {}): Promise<ScheduleReport> {
  const random = seededRandom(seed);
  const schedule = new Schedule(seed, random, planted);
  const crashes = random.oneIn(2) ? 1 : 2 + random.below(2);
  for (let life = 0; life < crashes; life++) await schedule.live(drawMishaps(random), 1 + random.below(40));
  // A woken owner can take the paths from its successor, never the records: then one more life goes on.
  for (let life = 0; life < 3 && schedule.unfinished; life++) await schedule.live(NO_MISHAPS, Number.POSITIVE_INFINITY);
  await schedule.audit();
  await immediate(); // a schedule is one turn of the event loop
  return schedule.report;
}

function drawMishaps(random: Random): Mishaps {
  const kind = (['kill', 'power', 'stop'] as const)[random.below(3)]!;
  return {
    crash: { at: random.below(random.oneIn(2) ? 60 : 200), kind },
    error: random.oneIn(6) ? { at: random.below(120) } : undefined,
    full: random.oneIn(6) ? { at: random.below(120), freeBytes: random.below(600) } : undefined,
  };
}

class Schedule {
  readonly #seed: number;
  readonly #random: Random;
  readonly #planted: Partial<Protocol>;
  readonly #machine: Machine;
  readonly #ledger = new Ledger();
  readonly #writers: { name: string; left: number; done: number }[];
  #crashes = 0;
  #lives = 0;
  #stopped: SimulatedProcess[] = [];

  constructor(seed: number, random: Random, planted: Partial<Protocol>) {
    this.#seed = seed;
    this.#random = random;
    this.#planted = planted;
    this.#machine = new Machine(random);
    this.#writers = Array.from({ length: random.oneIn(4) ? 4 : 3 }, (_, n) => ({
      name: 'abcd'[n]!,
      left: 7 + random.below(3),
      done: 0,
    }));
  }

  get unfinished(): boolean {
    return this.#writers.some(({ left }) => left > 0);
  }

  get report(): ScheduleReport {
    const { operations, acknowledged, violations } = this.#ledger;
    const [seed, writers, crashes, steps] = [this.#seed, this.#writers.length, this.#crashes, this.#machine.steps];
    return { seed, operations, writers, crashes, steps, acknowledged, violations };
  }

  /** A process opens the journal, its writers make up to `operations` appends, and it closes, unless something happens. */
  async live(mishaps: Mishaps, operations: number): Promise<void> {
    const machine = this.#machine;
    const life = `life ${++this.#lives}`;
    let cut = false;
    let calls = 0;
    const fault = ({ name }: SystemCall): Fault | undefined => {
      const now = calls++;
      if (now === mishaps.full?.at) machine.disk.freeBytes = mishaps.full.freeBytes;
      if (now === mishaps.crash?.at) {
        this.#crashes++;
        const moment = this.#random.oneIn(2) ? 'before' : 'after';
        const most = name === 'write' && this.#random.oneIn(2) ? 1 + this.#random.below(300) : undefined;
        if (mishaps.crash.kind === 'stop') {
          process.stop();
          return { stops: moment };
        }
        process.kill();
        cut = mishaps.crash.kind === 'power';
        return { dies: moment, most };
      }
      if (now === mishaps.error?.at && name !== 'close' && name !== 'readdir') return { error: 'EIO' };
      if (name === 'write' && this.#random.oneIn(16)) return { most: 1 + this.#random.below(100) };
      return undefined;
    };
    const process = machine.start(this.#planted, fault);
    let ended = false;
    this.#run(process, life, operations)
      .catch((error: unknown) => {
        const faulty = mishaps.error !== undefined || mishaps.full !== undefined;
        if (!(faulty && isJournalError(error, 'JOURNAL_UNUSABLE')) && !this.#superseded(process))
          this.#ledger.violations.push(`${life}: ${String(error)}`);
      })
      .finally(() => {
        ended = true;
      });
    const until = machine.steps + MOST_STEPS;
    while (!ended && process.state === 'running') {
      if (machine.ownedBy(process) && this.#random.oneIn(20)) for (const old of this.#stopped.splice(0)) old.wake();
      if (!(await machine.step()) || machine.steps > until) {
        if (!ended) this.#ledger.violations.push(`${life}: hangs`);
        break;
      }
      if (cut) break;
    }
    if (process.state === 'stopped') this.#stopped.push(process);
    machine.disk.freeBytes = Number.POSITIVE_INFINITY;
    // The call of the crash was never reached: it comes after the last one.
    if (mishaps.crash && ended && calls <= mishaps.crash.at) {
      this.#crashes++;
      cut ||= mishaps.crash.kind === 'power';
    }
    if (cut) {
      this.#stopped = [];
      machine.powerCut();
    }
  }

  /** Lets woken owners come to their end, cuts the power once more, and looks at what is left. */
  async audit(): Promise<void> {
    for (const old of this.#stopped.splice(0)) old.wake();
    for (let steps = 0; steps < MOST_STEPS && (await this.#machine.step()); steps++);
    if (this.#random.oneIn(2)) this.#machine.powerCut();
    await this.live(NO_MISHAPS, 0);
  }

  #superseded(process: SimulatedProcess): boolean {
    return !this.#machine.ownedBy(process);
  }

  async #run(process: SimulatedProcess, life: string, operations: number): Promise<void> {
    const random = this.#random;
    const state = new Map<string, string>();
    const apply = ({ id, text }: SimulatedRecord): void => void state.set(id, text);
    const onEvent = (event: JournalEvent): void => {
      if (event.type === 'journal.damage-found')
        this.#ledger.violations.push(`${life}: damage in ${event.file} at ${event.offset} that nobody did`);
    };
    const journal = await openJournalWith<SimulatedRecord>(
      resolveOptions({
        dir: '/data/journal',
        segmentBytes: 1024,
        apply,
        *snapshot() {
          for (const [id, text] of state) yield { id, text };
        },
        onEvent,
        clock: this.#machine.clock,
      }),
      process.collaborators,
    );
    this.#ledger.compare(state, life);
    let left = operations;
    const write = async (writer: { name: string; left: number; done: number }): Promise<void> => {
      while (writer.left > 0 && left > 0) {
        left--;
        writer.left--;
        if (random.oneIn(16)) {
          this.#ledger.operations++;
          await journal.compact().catch(() => undefined);
          continue;
        }
        const records = Array.from({ length: random.oneIn(4) ? 3 : 1 }, () => ({
          id: `${writer.name}${++writer.done}`,
          text: 'x'.repeat(random.oneIn(8) ? random.below(700) : random.below(80)),
        }));
        if (random.oneIn(2)) records.push({ id: `#${writer.name}`, text: String(writer.done).padStart(4, '0') });
        this.#ledger.issue(records);
        try {
          await journal.append(records.length === 1 ? records[0]! : records);
          this.#ledger.acknowledge(records, state);
        } catch (error) {
          if (isJournalError(error, 'JOURNAL_WRITE_FAILED')) this.#ledger.refuse(records);
          else if (isJournalError(error, 'JOURNAL_FAILED')) return;
          else throw error;
        }
      }
    };
    await Promise.all(this.#writers.map(write));
    await journal.close();
  }
}
