import { type ChaosOptions, type ChaosReport, eventually, type Mongod, startReplicaSet } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { type Entry, isKbError, type Kb, type KbEvent, openKb } from '../../src/index.js';
import { mongoStore } from '../../src/mongodb.js';
import { seeded } from '../fixtures/seeded.js';

export const part = 'persistent-kb/primary-kills';

const KILLS = 20;
const WRITERS = 16;
const IDS_EACH = 25;

type Counted = Entry & { n: number };

/** kill -9 of the primary of three, at least 20 times as far as the time reaches, under 16 writers. */
export function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  return killPrimaries({ kills: KILLS, seconds, seed, log });
}

/** The same with a number of kills of one's own; before each third one the primary is asked to step down instead. */
export async function killPrimaries({
  kills,
  seconds,
  seed,
  log,
}: ChaosOptions & { kills: number }): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const random = seeded(seed);
  await using set = await startReplicaSet();
  // The driver hears of a new primary at once; asking every member in turn takes seconds while one is dead.
  const watcher = new MongoClient(set.uriFor('admin'), { heartbeatFrequencyMS: 500 });
  let port: number | undefined;
  watcher.on('topologyDescriptionChanged', ({ newDescription }) => {
    const primary = [...newDescription.servers.values()].find((server) => server.type === 'RSPrimary');
    port = primary?.hostAddress.port;
  });
  await watcher.connect();
  const primaryNow = (besides?: Mongod): Promise<Mongod> =>
    eventually(() => set.members.find((member) => member.port === port && member !== besides), { timeoutMs: 60_000 });
  const events: KbEvent[] = [];
  const writer = await openKb<Counted>({
    store: mongoStore({ uri: set.uriFor('kb') }),
    onEvent: (event) => events.push(event),
  });
  await using follower = await openKb<Counted>({ store: mongoStore({ uri: set.uriFor('kb') }) });
  const ledger = new Ledger();
  let stop = false;
  const writing = Array.from({ length: WRITERS }, (_, at) => write(writer, at, ledger, () => stop));

  let done = 0;
  let stepdowns = 0;
  // A kill and its recovery take about 6 s; the end takes a few more.
  while (done < kills && (done === 0 || performance.now() < until - 12_000)) {
    const before = ledger.acked;
    await eventually(() => ledger.acked > before + 100, { timeoutMs: 60_000 });
    if (done % 3 === 1 && stepdowns < done) {
      await set.stepDown();
      stepdowns++;
    }
    const primary = await primaryNow();
    await new Promise((resolve) => setTimeout(resolve, random() * 200));
    await primary.kill();
    done++;
    await primaryNow(primary);
    await primary.restart();
    log(`kill ${done}: ${ledger.acked} acknowledged, ${ledger.unknown} unknown to the caller`);
  }
  stop = true;
  await Promise.all(writing);
  await ledger.settled();
  await eventually(() => writer.stats().inDoubt === 0 && writer.health().state === 'ready', { timeoutMs: 60_000 });
  const violations: string[] = [];
  await using fresh = await openKb<Counted>({ store: mongoStore({ uri: set.uriFor('kb') }) });
  ledger.judge('a fresh instance', fresh, violations);
  ledger.judge('the writer', writer, violations);
  await eventually(() => follower.health().state === 'ready', { timeoutMs: 60_000 });
  await eventually(async () => (await follower.verify()).ok, { timeoutMs: 30_000, everyMs: 500 }).catch(() => {});
  ledger.judge('an instance that followed', follower, violations);
  for (const [name, kb] of Object.entries({ writer, follower, fresh })) {
    const report = await kb.verify();
    if (!report.ok) violations.push(`${name}: verify found ${report.faults.slice(0, 3).join('; ')}`);
  }
  const doubts = events.filter((event) => event.type === 'kb.outcome-unknown').length;
  const settled = events.filter((event) => event.type === 'kb.outcome-settled').length;
  if (settled !== doubts) violations.push(`${doubts} outcomes were unknown, ${settled} were settled`);
  await writer.close();
  await watcher.close();
  const facts = { kills: done, stepdowns, acknowledged: ledger.acked, refused: ledger.refused, doubts, settled };
  return { runs: done, violations, facts };
}

async function write(kb: Kb<Counted>, at: number, ledger: Ledger, stopped: () => boolean): Promise<void> {
  for (let n = 1; !stopped(); n++) {
    const entry: Counted = { id: `w${at}-${n % IDS_EACH}`, title: 'counted', n };
    await kb.put(entry).then(
      ({ rev }) => ledger.ack(entry, rev),
      (error: unknown) => ledger.fail(entry, error),
    );
  }
}

/** What callers were told, against which what is stored is judged. */
class Ledger {
  acked = 0;
  refused = 0;
  unknown = 0;
  readonly #acked = new Map<string, { rev: number; n: number }>();
  readonly #notStored = new Map<string, Set<number>>();
  readonly #settling: Promise<void>[] = [];
  readonly #strange: string[] = [];

  ack({ id, n }: Counted, rev: number): void {
    this.acked++;
    if ((this.#acked.get(id)?.rev ?? 0) < rev) this.#acked.set(id, { rev, n });
  }

  fail(entry: Counted, error: unknown): void {
    if (isKbError(error, 'KB_UNKNOWN_OUTCOME')) {
      this.unknown++;
      this.#settling.push(
        error.settle!().then((settlement) => {
          if (settlement.status === 'written') this.ack(entry, settlement.rev);
          else if (settlement.status === 'not-written') this.#forbid(entry);
          else this.#strange.push(`${entry.id} ${entry.n} can't be settled`);
        }),
      );
    } else if (isKbError(error, 'KB_STORE_FAILED')) {
      this.refused++;
      this.#forbid(entry);
    } else this.#strange.push(String(error));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#settling);
  }

  judge(who: string, kb: Kb<Counted>, violations: string[]): void {
    for (const [id, { rev, n }] of this.#acked) {
      const stored = kb.get(id);
      if (!stored || stored.rev < rev || (stored.rev === rev && stored.entry.n !== n)) {
        violations.push(`${who}: ${id} was acknowledged at revision ${rev}, found ${stored?.rev ?? 'nothing'}`);
      }
    }
    for (const [id, ns] of this.#notStored) {
      const n = kb.get(id)?.entry.n;
      if (n !== undefined && ns.has(n))
        violations.push(`${who}: ${id} has ${n}, which its caller was told is not stored`);
    }
    violations.push(...this.#strange.splice(0));
  }

  #forbid({ id, n }: Counted): void {
    const ns = this.#notStored.get(id) ?? new Set();
    this.#notStored.set(id, ns.add(n));
  }
}
