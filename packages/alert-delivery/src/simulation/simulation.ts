import { type MemoryDisk, memoryDisk, openJournalOn, seededRandom } from '@holdfast/journal/testing';
import type { Alert } from '../alert.js';
import { fileBodies } from '../archive.js';
import type { Delivery } from '../contract.js';
import { openDelivery } from '../delivery.js';
import { type Machine, openFiles } from '../file-store.js';
import type { DeliveryStore, StoreDriver } from '../store.js';
import { Book } from './book.js';
import { SimulatedTime } from './clock.js';
import { type Random, SimulatedNetwork } from './network.js';
import { PLANTED_BUGS, type Planted, type PlantedBug, wrapped } from './planted.js';

/** What one schedule did and found. */
export interface ScheduleReport {
  readonly seed: number;
  /** Lives of the process that ended in a kill or a power cut. */
  readonly crashes: number;
  readonly acknowledged: number;
  /** Messages that the providers took. */
  readonly taken: number;
  /** Alerts lost, invented or closed too early; repeats without a mark; a law that does not hold; a delivery that hangs. */
  readonly violations: readonly string[];
}

const DIR = '/alerts';
/** Far longer than any life needs: one that is not over by then hangs. */
const LIFE_MS = 600_000;

/**
 * Runs the real delivery over a simulated disk, clock and network through one random schedule: up to three lives of a process,
 * each but the last ended by a kill or a power cut at a random system call, with providers that refuse, hang, answer late,
 * throttle, or cut the connection after they took the message, and a disk that is full or fails. Then everything works, and
 * what became of every alert is compared with what was acknowledged and what the providers took. The same seed is the same schedule.
 */
export async function simulate(
  seed: number,
  { bug, trace }: { readonly bug?: PlantedBug; readonly trace?: Trace } = {},
): Promise<ScheduleReport> {
  const schedule = new Schedule(seed, bug === undefined ? {} : PLANTED_BUGS[bug], trace);
  return await schedule.run();
}

/** Is told what happens, at simulated milliseconds, to find out how a schedule came to its violations. */
export type Trace = (atMs: number, what: unknown) => void;

interface Life {
  alive: boolean;
  /** System calls until the crash. */
  calls: number;
  crashed: boolean;
  delivery?: Delivery;
}

class Schedule {
  readonly #seed: number;
  readonly #trace: Trace | undefined;
  readonly #planted: Planted;
  readonly #random: Random;
  readonly #time = new SimulatedTime();
  readonly #disk: MemoryDisk = memoryDisk();
  readonly #network: SimulatedNetwork;
  readonly #book = new Book();
  readonly #chance: { readonly grouped: boolean; readonly crowded: boolean; readonly broken: boolean };
  #crashes = 0;

  constructor(seed: number, planted: Planted, trace: Trace | undefined) {
    this.#trace = trace;
    this.#seed = seed;
    this.#planted = planted;
    this.#random = seededRandom(seed);
    this.#network = new SimulatedNetwork(this.#time, this.#random);
    const { oneIn } = this.#random;
    this.#chance = { grouped: oneIn(3), crowded: oneIn(3), broken: oneIn(5) };
  }

  async run(): Promise<ScheduleReport> {
    const lives = 1 + this.#random.below(2);
    for (let n = 0; n < lives; n++) {
      this.#network.badPercent = this.#random.below(90);
      await this.#live({ alive: true, calls: 15 + this.#random.below(180), crashed: false });
    }
    this.#network.badPercent = 0;
    await this.#live({ alive: true, calls: Number.POSITIVE_INFINITY, crashed: false });
    return {
      seed: this.#seed,
      crashes: this.#crashes,
      acknowledged: this.#book.acknowledged.size,
      taken: this.#network.taken.length,
      violations: this.#book.violations,
    };
  }

  async #live(life: Life): Promise<void> {
    const last = life.calls === Number.POSITIVE_INFINITY;
    let over = false;
    const lived = (last ? this.#finish(life) : this.#work(life)).then(
      () => undefined,
      (error: unknown) => {
        // A disk that fails may keep it from opening at all.
        if (life.alive && !(this.#chance.broken && !last)) this.#book.say(`a life ended with ${String(error)}`);
      },
    );
    void lived.then(() => {
      over = true;
    });
    const ended = await this.#time.run(() => over || life.crashed, this.#time.now + LIFE_MS);
    if (!ended)
      this.#book.say(`${last ? 'the last' : 'a'} life hangs: ${JSON.stringify(life.delivery?.stats().channels)}`);
    life.alive = false;
    this.#time.kill(life);
    if (life.crashed) this.#crashes++;
    this.#trace?.(this.#time.now, life.crashed ? 'crashed' : 'closed');
    if (life.crashed && this.#random.oneIn(2)) this.#disk.powerCut(this.#random);
  }

  /** Alerts come, some twice; dead letters are replayed; then it closes, if no crash came first. */
  async #work(life: Life): Promise<void> {
    const { delivery } = await this.#open(life);
    // What is refused, because the store failed or the delivery closed, was never acknowledged.
    const asked: Promise<unknown>[] = [];
    const ask = (asking: Promise<unknown>): void => void asked.push(asking.catch(() => undefined));
    const alerts = 1 + this.#random.below(6);
    for (let n = 0; n < alerts; n++) {
      const alert = this.#alert();
      ask(this.#accept(delivery, alert, life));
      if (this.#random.oneIn(3)) await this.#pause(this.#random.below(400), life);
      if (this.#random.oneIn(6)) ask(this.#accept(delivery, alert, life));
      if (this.#random.oneIn(6)) ask(this.#replay(delivery));
    }
    await this.#pause(this.#random.below(3000), life);
    if (this.#random.oneIn(2)) await Promise.all(asked);
    await delivery.close({ timeoutMs: this.#random.below(2000) });
  }

  async #finish(life: Life): Promise<void> {
    const { delivery, store } = await this.#open(life);
    await this.#book.opened(delivery, () => store.audit());
    await this.#pause(30_000, life);
    await delivery.flush();
    await this.#book.closed(delivery, this.#network.taken);
    await delivery.close();
  }

  async #open(life: Life): Promise<{ delivery: Delivery; store: DeliveryStore }> {
    let opened: DeliveryStore | undefined;
    const driver: StoreDriver = {
      kind: 'file',
      open: async (context) => {
        const store = await openFiles(DIR, 'refuse', context, this.#machine(life));
        opened = store;
        // No folder of its own: the readable copy of dead letters would go to the real disk.
        return wrapped(this.#planted.store?.(store) ?? store, { dir: undefined });
      },
    };
    const delivery = await openDelivery({
      store: driver,
      chain: ['a', 'b'].map((name) => ({
        channel: this.#network.channel(name, life, name === 'b'),
        retries: 1,
        timeoutMs: 1000,
        backoff: { minMs: 10, maxMs: 50, factor: 2 },
        concurrency: 2,
        breaker: { failures: 3, openMs: 500, maxOpenMs: 1000 },
      })),
      deadlineMs: 10_000,
      history: { maxEntries: 200 },
      queue: this.#chance.crowded ? { max: 2, whenFull: 'coalesce' } : undefined,
      group: this.#chance.grouped ? { windowMs: 200 } : undefined,
      clock: this.#time.clockOf(life),
      random: () => this.#random.next(),
      onEvent: (event) => {
        this.#trace?.(this.#time.now, event);
        if (!life.alive) return;
        if ('durable' in event && !event.durable) this.#book.undurable.add(event.id);
        if (event.type === 'store.failed') this.#book.unmarked = true;
        if (event.type === 'law.violated') this.#book.say(`the law was violated: ${JSON.stringify(event)}`);
      },
    });
    life.delivery = delivery;
    return { delivery, store: opened! };
  }

  #machine(life: Life): Machine {
    const broken = this.#chance.broken && life.calls !== Number.POSITIVE_INFINITY;
    const conditions = {
      turn: async (): Promise<void> => {
        if (this.#random.oneIn(6)) await this.#pause(this.#random.below(5), life);
      },
      fault: ({ name }: { name: string }) => {
        this.#time.tick();
        if (!life.alive) return { dies: 'before' as const };
        if (--life.calls <= 0) {
          life.alive = false;
          life.crashed = true;
          return { dies: this.#random.oneIn(2) ? ('before' as const) : ('after' as const) };
        }
        if (!broken || !this.#random.oneIn(40)) return undefined;
        if (name === 'write') return { error: 'ENOSPC' };
        return name === 'datasync' ? { error: 'EIO' } : undefined;
      },
    };
    const { append, bodies } = this.#planted;
    return {
      openJournal: async (options) => {
        const journal = await openJournalOn(this.#disk, options, conditions);
        return append ? wrapped(journal, { append: append((records) => journal.append(records)) }) : journal;
      },
      openBodies: async (dir) => {
        const right = await fileBodies(dir, this.#disk.fileSystem(conditions));
        return bodies?.(right) ?? right;
      },
    };
  }

  #alert(): Alert {
    const { below, oneIn } = this.#random;
    const n = this.#book.issued.size;
    const alert: Alert = {
      id: `alert-${n}`,
      title: `title ${n}`,
      severity: (['critical', 'error', 'warning', 'info'] as const)[below(4)]!,
      data: { n },
      ...(oneIn(2) && { dedupKey: `key-${below(2)}`, status: oneIn(2) ? ('firing' as const) : ('resolved' as const) }),
    };
    this.#book.issued.set(alert.id!, alert);
    return alert;
  }

  async #accept(delivery: Delivery, alert: Alert, life: Life): Promise<void> {
    const { id } = this.#random.oneIn(4)
      ? await delivery.notify(alert).then((outcome) => {
          if (outcome.status === 'dead' && outcome.durable === false) throw new Error('neither stored nor delivered');
          return outcome;
        })
      : await delivery.accept(alert);
    if (life.alive) this.#book.acknowledged.add(id);
  }

  async #replay(delivery: Delivery): Promise<void> {
    for await (const _outcome of delivery.replay({ limit: 2 })) if (this.#random.oneIn(4)) return;
  }

  #pause(ms: number, life: Life): Promise<void> {
    return new Promise((resolve) => void this.#time.after(ms, resolve, life));
  }
}
