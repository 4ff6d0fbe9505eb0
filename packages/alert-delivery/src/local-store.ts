import type { StoredAlert } from './alert.js';
import type { Bodies } from './bodies.js';
import type { Ledger } from './ledger.js';
import { auditLedger } from './ledger-audit.js';
import { type LedgerRecord, type PendingEntry, recordOf } from './ledger-record.js';
import { matches } from './letters.js';
import { type AlertRecord, isEnd, type LifeEvent } from './life.js';
import type { DeadFilter, DeliveryStore, Hold, StoreContext, Work } from './store.js';

/** A log whose records are applied to the ledger once they are durable, in order, before `append` resolves. */
export interface LedgerLog {
  append(records: readonly LedgerRecord[]): Promise<void>;
  readonly failure: Error | undefined;
  close(): Promise<void>;
}

const NONE: readonly string[] = [];
const LATER = { sync: false } as const;

/**
 * The store of one process: a {@link Ledger} folded from a log, and whole records of what has ended in {@link Bodies}.
 * The memory store and the file store are this with different logs and bodies.
 */
export class LocalStore implements DeliveryStore {
  readonly shared = false;
  readonly dir: string | undefined;
  readonly found: DeliveryStore['found'];
  #ledger: Ledger;
  #log: LedgerLog;
  #bodies: Bodies;
  #context: StoreContext;
  #held = new Map<string, string>();
  #tokens = 0;
  /** Accepts under way, by id: of two at once the second waits for the first. */
  #accepting = new Map<string, Promise<unknown>>();
  #evicting = false;

  constructor(options: {
    ledger: Ledger;
    log: LedgerLog;
    bodies: Bodies;
    context: StoreContext;
    dir?: string | undefined;
    found?: Partial<DeliveryStore['found']>;
  }) {
    this.#ledger = options.ledger;
    this.#log = options.log;
    this.#bodies = options.bodies;
    this.#context = options.context;
    this.dir = options.dir;
    this.found = { pending: options.ledger.pending.size, tornBytes: 0, quarantinedBytes: 0, ...options.found };
  }

  get failure(): Error | undefined {
    return this.#log.failure;
  }

  async accept(
    alert: StoredAlert,
    at: number,
    { held }: { held: boolean },
  ): Promise<{ duplicate: boolean; work?: Work }> {
    // The first one's failure is its own: this call then tries by itself.
    for (let other = this.#accepting.get(alert.id); other; other = this.#accepting.get(alert.id))
      await other.catch(() => undefined);
    if (this.#ledger.knows(alert.id)) return { duplicate: true };
    const durable = this.#log.append([{ t: 'in', alert, at, run: this.#context.run }]);
    this.#accepting.set(alert.id, durable);
    // Taken before it is applied, or a claim could get in between.
    const token = held ? this.#take(alert.id) : undefined;
    try {
      await durable;
    } catch (error) {
      this.#held.delete(alert.id);
      throw error;
    } finally {
      this.#accepting.delete(alert.id);
    }
    if (token === undefined) return { duplicate: false };
    return {
      duplicate: false,
      work: { hold: { id: alert.id, token }, record: { id: alert.id, acceptedAt: at, alert, events: [] } },
    };
  }

  async claim(limit: number): Promise<Work[]> {
    const works: Work[] = [];
    const foreign: string[] = [];
    for (const [id, entry] of this.#ledger.pending) {
      if (works.length >= limit) break;
      if (this.#held.has(id)) continue;
      const { run } = this.#context;
      const known = entry.events.some((event) => event.type === 'recovered' && event.run === run);
      if (entry.run !== run && !known && !entry.events.some((event) => event.type === 'replayed')) foreign.push(id);
      works.push({ hold: { id, token: this.#take(id) }, record: recordOf(entry) });
    }
    if (foreign.length === 0) return works;
    await this.#log.append([
      { t: 'ev', ids: foreign, e: { type: 'recovered', at: this.#context.clock.now(), run: this.#context.run } },
    ]);
    return works.map((work) => {
      const entry = this.#ledger.pending.get(work.hold.id);
      return entry ? { hold: work.hold, record: recordOf(entry) } : work;
    });
  }

  record(holds: readonly Hold[], events: readonly LifeEvent[]): Promise<readonly string[]> {
    const isHeld = (hold: Hold): boolean => this.#held.get(hold.id) === hold.token;
    const lost = holds.every(isHeld) ? NONE : holds.filter((hold) => !isHeld(hold)).map((hold) => hold.id);
    if (lost.length === holds.length) return Promise.resolve(lost);
    const ids = (lost === NONE ? holds : holds.filter(isHeld)).map((hold) => hold.id);
    const end = events.find(isEnd);
    const records: LedgerRecord[] = events.map((e) => ({ t: 'ev', ids, e }));
    if (end?.type === 'dead') return this.#recordDeath(ids, events, records).then(() => lost);
    if (end) this.#keepPast(ids, events);
    return this.#log.append(records).then(() => {
      if (end) for (const id of ids) this.#held.delete(id);
      return lost;
    });
  }

  async #recordDeath(ids: readonly string[], events: readonly LifeEvent[], records: LedgerRecord[]): Promise<void> {
    await this.#keepLetters(ids, events);
    await this.#log.append(records);
    for (const id of ids) this.#held.delete(id);
    await this.#boundLetters();
  }

  async renew(): Promise<readonly string[]> {
    return [];
  }

  async release(holds: readonly Hold[]): Promise<void> {
    for (const hold of holds) if (this.#held.get(hold.id) === hold.token) this.#held.delete(hold.id);
  }

  async revive(
    id: string,
    event: Extract<LifeEvent, { type: 'replayed' }>,
    { held }: { held: boolean },
  ): Promise<Work | undefined> {
    if (!this.#ledger.letters.get(id) || this.#held.has(id)) return undefined;
    const token = this.#take(id);
    try {
      const body = await this.#bodies.get('dead', id);
      if (!body?.alert) {
        await this.#evict([id], 'damaged');
        this.#held.delete(id);
        return undefined;
      }
      const entry: PendingEntry = {
        alert: body.alert,
        at: body.acceptedAt,
        run: this.#context.run,
        events: [...body.events, event],
      };
      await this.#log.append([{ t: 're', entry }]);
      this.#bodies.drop('dead', id);
      if (held) return { hold: { id, token }, record: recordOf(entry) };
      this.#held.delete(id);
      return { hold: { id, token: '' }, record: recordOf(entry) };
    } catch (error) {
      this.#held.delete(id);
      throw error;
    }
  }

  async find(id: string): Promise<AlertRecord | undefined> {
    const pending = this.#ledger.pending.get(id);
    if (pending) return recordOf(pending);
    const past = this.#ledger.past.peek(id);
    if (past)
      return (
        (past.end.type !== 'dead' && (await this.#bodies.get('past', id))) || {
          id,
          acceptedAt: past.at,
          events: [past.end],
        }
      );
    return this.#ledger.letters.get(id) ? this.#bodies.get('dead', id) : undefined;
  }

  async *dead(filter: DeadFilter): AsyncIterable<AlertRecord & { readonly alert: StoredAlert }> {
    const letters = [...this.#ledger.letters.byWorth()].filter((letter) => matches(letter, filter));
    letters.sort((a, b) => a.diedAt - b.diedAt);
    for (const letter of letters.slice(0, filter.limit ?? letters.length)) {
      if (!this.#ledger.letters.get(letter.id)) continue;
      const body = await this.#bodies.get('dead', letter.id);
      if (body?.alert) yield { ...body, alert: body.alert };
      else if (this.#ledger.letters.get(letter.id)) await this.#evict([letter.id], 'damaged');
    }
  }

  async *recent(limit: number): ReturnType<DeliveryStore['recent']> {
    yield* this.#ledger.recent(limit);
  }

  async firingChannels(dedupKeys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const channels = new Map<string, string>();
    for (const key of dedupKeys) {
      const channel = this.#ledger.firing.get(key);
      if (channel !== undefined) channels.set(key, channel);
    }
    return channels;
  }

  counts(): ReturnType<DeliveryStore['counts']> {
    return this.#ledger.counts();
  }

  evictions(): ReturnType<DeliveryStore['evictions']> {
    return this.#ledger.evictions();
  }

  audit(onProgress?: (checked: number) => void): ReturnType<DeliveryStore['audit']> {
    return auditLedger(this.#ledger, this.#bodies, onProgress);
  }

  async refresh(): Promise<void> {}

  conditions(): ReturnType<DeliveryStore['conditions']> {
    return [...this.#ledger.channels.values()];
  }

  async saveCondition(condition: Parameters<DeliveryStore['saveCondition']>[0]): Promise<void> {
    await this.#log.append([{ t: 'channel', c: condition }]);
  }

  async close(): Promise<void> {
    await this.#bodies.close();
    await this.#log.close();
  }

  #take(id: string): string {
    // Unique in this process, which is the only one.
    const token = String(++this.#tokens);
    this.#held.set(id, token);
    return token;
  }

  /** Dead letters are durable before the journal says "dead": a crash between the two leaves the alert pending, never lost. */
  async #keepLetters(ids: readonly string[], events: readonly LifeEvent[]): Promise<void> {
    await Promise.all(
      ids.map((id) => {
        const entry = this.#ledger.pending.get(id)!;
        return this.#bodies.put(
          'dead',
          id,
          { ...recordOf(entry), events: [...entry.events, ...events] },
          { sync: true },
        );
      }),
    );
  }

  /** Delivered and coalesced records go to the shelf without waiting: what is lost of them is an explanation, not an alert. */
  #keepPast(ids: readonly string[], events: readonly LifeEvent[]): void {
    for (const id of ids) {
      const entry = this.#ledger.pending.get(id);
      if (!entry) continue;
      const { alert, at: acceptedAt } = entry;
      const body = { id, acceptedAt, alert, events: [...entry.events, ...events] };
      this.#bodies.put('past', id, body, LATER).catch(this.#onHistoryFailed);
    }
  }

  readonly #onHistoryFailed = (error: unknown): void =>
    this.#context.onEvent({ type: 'store.failed', during: 'history', reason: String(error) });

  async #boundLetters(): Promise<void> {
    if (this.#evicting) return;
    this.#evicting = true;
    try {
      for (;;) {
        const over = this.#ledger.letters.over(this.#context.deadLetters);
        if (!over) return;
        await this.#evict(over.ids, over.why);
      }
    } catch (error) {
      // The death itself is durable: only the bound is late, and the next death tries again.
      this.#context.onEvent({ type: 'store.failed', during: 'evict', reason: String(error) });
    } finally {
      this.#evicting = false;
    }
  }

  async #evict(ids: readonly string[], why: 'count' | 'bytes' | 'damaged'): Promise<void> {
    const letters = ids.flatMap((id) => this.#ledger.letters.get(id) ?? []);
    await this.#log.append([{ t: 'evict', ids, at: this.#context.clock.now() }]);
    for (const { id, severity, reason } of letters) {
      this.#bodies.drop('dead', id);
      this.#context.onEvent({ type: 'dead-letter.evicted', id, severity, reason, why });
    }
  }
}
