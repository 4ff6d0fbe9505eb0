import type { Clock } from '@holdfast/clock';
import { LRUCache } from 'lru-cache';
import type { StoredAlert } from './alert.js';
import type { LedgerRecord, PastEntry, PendingEntry } from './ledger-record.js';
import { Letters } from './letters.js';
import { type EndEvent, isEnd, type LifeEvent } from './life.js';
import { recentEntries } from './recent.js';
import { bytesOf, eventBytes } from './sizes.js';
import type { Bounds, ChannelCondition, Counts, Evictions, RecentEntry } from './store.js';

const TITLE_CHARS = 120;
/** More events than this on one pending alert means that it was replayed many times: the oldest attempts go first. */
const MAX_EVENTS = 500;
/** How many unresolved firings are remembered. Past it the oldest is forgotten: its resolved notice takes the chain only. */
const MAX_FIRING = 10_000;

/**
 * The state that the records of the journal fold into: pending alerts whole, ended ones as short entries, and the
 * counters. Applying a record twice, or one whose alert is not known, changes nothing, so that the law holds after any crash.
 */
export class Ledger {
  readonly pending = new Map<string, PendingEntry>();
  readonly past: LRUCache<string, PastEntry>;
  readonly letters = new Letters();
  readonly firing = new Map<string, string>();
  readonly channels = new Map<string, ChannelCondition>();
  #counts = { accepted: 0, delivered: 0, coalesced: 0, dead: 0, evicted: 0 };
  #evictions: Evictions | undefined;
  #clock: Clock;
  #ttlMs: number;

  constructor(options: { clock: Clock; history: Bounds & { ttlMs: number }; onForgotten: (id: string) => void }) {
    const { clock, history, onForgotten } = options;
    this.#clock = clock;
    this.#ttlMs = history.ttlMs;
    this.past = new LRUCache<string, PastEntry>({
      // With `max` the cache takes all its room at once; a command, which forgets nothing, gives none.
      ...(Number.isFinite(history.maxEntries) && { max: history.maxEntries }),
      maxSize: history.maxBytes,
      maxEntrySize: history.maxBytes,
      sizeCalculation: (entry) => Math.min(Math.max(1, entry.bytes), history.maxBytes),
      // The monotonic clock: a jump of the wall clock neither forgets an id nor revives one.
      ttl: history.ttlMs,
      perf: { now: () => clock.monotonic() },
      ttlResolution: 0,
      dispose: (_entry, id, reason) => {
        if (reason !== 'set') onForgotten(id);
      },
    });
  }

  knows(id: string): boolean {
    return this.pending.has(id) || this.past.has(id) || this.letters.get(id) !== undefined;
  }

  counts(): Counts {
    // Asked for at every end: written out, which is several times faster than a copy with one more.
    const { accepted, delivered, coalesced, dead, evicted } = this.#counts;
    return { accepted, delivered, coalesced, dead, evicted, pending: this.pending.size };
  }

  /** What became of dead letters that had to go; `undefined` while none had to. */
  evictions(): Evictions | undefined {
    return this.#evictions;
  }

  apply(record: LedgerRecord): void {
    switch (record.t) {
      case 'in':
        if (this.pending.has(record.alert.id) || this.letters.get(record.alert.id)) return;
        // The store saw the id as forgotten when it wrote this. Whether the clocks agree by now does not matter.
        this.past.delete(record.alert.id);
        this.#counts.accepted++;
        this.pending.set(record.alert.id, { alert: record.alert, at: record.at, run: record.run, events: [] });
        return;
      case 'ev':
        for (const id of record.ids) this.#applyEvent(id, record.e);
        return;
      case 're':
        if (!this.letters.remove(record.entry.alert.id)) return;
        this.#counts.dead--;
        this.pending.set(record.entry.alert.id, record.entry);
        return;
      case 'evict':
        for (const id of record.ids) this.#evict(id, record.at);
        return;
      case 'channel':
        this.channels.set(record.c.channel, record.c);
        return;
      case 'base':
        this.#counts = { ...record.counts };
        this.#evictions = record.evictions;
        for (const [key, channel] of record.firing) this.firing.set(key, channel);
        return;
      case 'pending':
        this.pending.set(record.entry.alert.id, record.entry);
        return;
      case 'past':
        this.#remember(record.entry);
        return;
      case 'letter':
        this.letters.add(record.entry);
        return;
      case 'run':
        return;
    }
  }

  /** Records that rebuild this state. The references are copied now, whatever happens while they are read. */
  snapshot(run: string): LedgerRecord[] {
    const records: LedgerRecord[] = [
      { t: 'run', v: 1, run, at: this.#clock.now() },
      {
        t: 'base',
        v: 1,
        counts: { ...this.#counts },
        firing: [...this.firing],
        ...(this.#evictions && { evictions: this.#evictions }),
      },
    ];
    for (const c of this.channels.values()) records.push({ t: 'channel', c });
    for (const entry of this.pending.values()) records.push({ t: 'pending', entry });
    for (const entry of this.letters.byWorth()) records.push({ t: 'letter', entry });
    const past: LedgerRecord[] = [];
    for (const entry of this.past.values()) past.push({ t: 'past', entry });
    // Oldest first, so that a fold of the snapshot evicts in the same order.
    return records.concat(past.reverse());
  }

  recent(limit: number): Iterable<RecentEntry> {
    return recentEntries(limit, [...this.pending], [...this.past.values()], this.letters.byWorth());
  }

  #applyEvent(id: string, event: LifeEvent): void {
    const entry = this.pending.get(id);
    if (!entry) return;
    if (isEnd(event)) {
      this.#end(id, entry, event);
      return;
    }
    const events =
      entry.events.length < MAX_EVENTS ? [...entry.events, event] : [...entry.events.slice(-MAX_EVENTS / 2), event];
    this.pending.set(id, { ...entry, events });
  }

  #end(id: string, entry: PendingEntry, event: EndEvent): void {
    this.pending.delete(id);
    const { alert, at } = entry;
    const title = alert.title.slice(0, TITLE_CHARS);
    let bytes = bytesOf(alert) + 80 + eventBytes(event);
    for (const each of entry.events) bytes += eventBytes(each);
    if (event.type === 'dead') {
      this.#counts.dead++;
      this.letters.add({ id, at, diedAt: event.at, title, severity: alert.severity, reason: event.reason, bytes });
      return;
    }
    this.#counts[event.type]++;
    this.#remember({ id, at, title, severity: alert.severity, end: event, bytes });
    this.#followFiring(alert, event);
  }

  /** The letter goes, its id and its end stay as long as history remembers: it is no new alert when it comes again. */
  #evict(id: string, at: number): void {
    const letter = this.letters.remove(id);
    if (!letter) return;
    const { severity, diedAt, title, reason } = letter;
    this.#counts.dead--;
    this.#counts.evicted++;
    const { firstAt = at, bySeverity = {} } = this.#evictions ?? {};
    this.#evictions = {
      firstAt,
      lastAt: at,
      bySeverity: { ...bySeverity, [severity]: (bySeverity[severity] ?? 0) + 1 },
    };
    const end = { type: 'dead', at: diedAt, reason } as const;
    this.#remember({ id, at: letter.at, title, severity, end, bytes: 1 });
  }

  #followFiring(alert: StoredAlert, event: Exclude<EndEvent, { type: 'dead' }>): void {
    if (alert.dedupKey === undefined || event.channel === undefined) return;
    this.firing.delete(alert.dedupKey);
    if (alert.status === 'resolved') return;
    this.firing.set(alert.dedupKey, event.channel);
    if (this.firing.size > MAX_FIRING) this.firing.delete(this.firing.keys().next().value!);
  }

  #remember(entry: PastEntry): void {
    const age = Math.max(0, this.#clock.now() - entry.end.at);
    if (age >= this.#ttlMs) return;
    this.past.set(entry.id, entry, { start: this.#clock.monotonic() - age });
  }
}
