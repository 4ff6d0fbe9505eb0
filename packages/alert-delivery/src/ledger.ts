import type { Clock } from '@holdfast/clock';
import { LRUCache } from 'lru-cache';
import type { Severity, StoredAlert } from './alert.js';
import { SEVERITIES } from './alert.js';
import { type AlertRecord, type EndEvent, isEnd, type LifeEvent } from './life.js';
import type { Bounds, ChannelCondition, Counts, RecentEntry } from './store.js';

/** The lines of the journal, and of its snapshots. `v` of the first line is the version of the format. */
export type LedgerRecord =
  | { readonly t: 'run'; readonly v: 1; readonly run: string; readonly at: number }
  | { readonly t: 'in'; readonly alert: StoredAlert; readonly at: number; readonly run: string }
  | { readonly t: 'ev'; readonly ids: readonly string[]; readonly e: LifeEvent }
  | { readonly t: 're'; readonly entry: PendingEntry }
  | { readonly t: 'evict'; readonly ids: readonly string[]; readonly at: number }
  | { readonly t: 'channel'; readonly c: ChannelCondition }
  // Only in snapshots:
  | {
      readonly t: 'base';
      readonly v: 1;
      readonly counts: Omit<Counts, 'pending'>;
      readonly firing: readonly (readonly [string, string])[];
    }
  | { readonly t: 'pending'; readonly entry: PendingEntry }
  | { readonly t: 'past'; readonly entry: PastEntry }
  | { readonly t: 'letter'; readonly entry: LetterEntry };

/** An alert that has not ended. Replaced, never changed, so that a snapshot is a copy of the references. */
export interface PendingEntry {
  readonly alert: StoredAlert;
  readonly at: number;
  readonly run: string;
  readonly events: readonly LifeEvent[];
}

/** An alert that was delivered or coalesced: what memory keeps of it. */
export interface PastEntry {
  readonly id: string;
  readonly at: number;
  readonly title: string;
  readonly severity: Severity;
  readonly end: Exclude<EndEvent, { type: 'dead' }>;
  /** Of the body that the archive keeps. */
  readonly bytes: number;
}

/** A dead letter: what memory keeps of it. */
export interface LetterEntry {
  readonly id: string;
  readonly at: number;
  readonly diedAt: number;
  readonly title: string;
  readonly severity: Severity;
  readonly reason: string;
  readonly bytes: number;
}

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
  readonly firing = new Map<string, string>();
  readonly channels = new Map<string, ChannelCondition>();
  pendingBytes = 0;
  letterBytes = 0;
  #letters: Record<Severity, Map<string, LetterEntry>> = {
    critical: new Map(),
    error: new Map(),
    warning: new Map(),
    info: new Map(),
  };
  #counts = { accepted: 0, delivered: 0, coalesced: 0, dead: 0, evicted: 0 };
  #clock: Clock;
  #ttlMs: number;

  constructor(options: { clock: Clock; history: Bounds & { ttlMs: number }; onForgotten: (id: string) => void }) {
    const { clock, history, onForgotten } = options;
    this.#clock = clock;
    this.#ttlMs = history.ttlMs;
    this.past = new LRUCache<string, PastEntry>({
      max: history.maxEntries,
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

  /** Letters, the first to go first: lowest severity, then oldest. */
  *lettersByWorth(): Iterable<LetterEntry> {
    for (const severity of [...SEVERITIES].reverse()) yield* this.#letters[severity].values();
  }

  letter(id: string): LetterEntry | undefined {
    for (const severity of SEVERITIES) {
      const entry = this.#letters[severity].get(id);
      if (entry) return entry;
    }
    return undefined;
  }

  knows(id: string): boolean {
    return this.pending.has(id) || this.past.has(id) || this.letter(id) !== undefined;
  }

  counts(): Counts {
    return { ...this.#counts, pending: this.pending.size };
  }

  apply(record: LedgerRecord): void {
    switch (record.t) {
      case 'in':
        if (this.pending.has(record.alert.id) || this.letter(record.alert.id)) return;
        // The store saw the id as forgotten when it wrote this. Whether the clocks agree by now does not matter.
        this.past.delete(record.alert.id);
        this.#counts.accepted++;
        this.#setPending(record.alert.id, { alert: record.alert, at: record.at, run: record.run, events: [] });
        return;
      case 'ev':
        for (const id of record.ids) this.#applyEvent(id, record.e);
        return;
      case 're':
        if (!this.#removeLetter(record.entry.alert.id)) return;
        this.#counts.dead--;
        this.#setPending(record.entry.alert.id, record.entry);
        return;
      case 'evict':
        for (const id of record.ids) {
          if (!this.#removeLetter(id)) continue;
          this.#counts.dead--;
          this.#counts.evicted++;
        }
        return;
      case 'channel':
        this.channels.set(record.c.channel, record.c);
        return;
      case 'base':
        this.#counts = { ...record.counts };
        for (const [key, channel] of record.firing) this.firing.set(key, channel);
        return;
      case 'pending':
        this.#setPending(record.entry.alert.id, record.entry);
        return;
      case 'past':
        this.#remember(record.entry);
        return;
      case 'letter':
        this.#addLetter(record.entry);
        return;
      case 'run':
        return;
    }
  }

  /** Records that rebuild this state. The references are copied now, whatever happens while they are read. */
  snapshot(run: string): LedgerRecord[] {
    const records: LedgerRecord[] = [
      { t: 'run', v: 1, run, at: this.#clock.now() },
      { t: 'base', v: 1, counts: { ...this.#counts }, firing: [...this.firing] },
    ];
    for (const c of this.channels.values()) records.push({ t: 'channel', c });
    for (const entry of this.pending.values()) records.push({ t: 'pending', entry });
    for (const letters of Object.values(this.#letters))
      for (const entry of letters.values()) records.push({ t: 'letter', entry });
    const past: LedgerRecord[] = [];
    for (const entry of this.past.values()) past.push({ t: 'past', entry });
    // Oldest first, so that a fold of the snapshot evicts in the same order.
    return records.concat(past.reverse());
  }

  /** Newest first: pending, then ended ones by the time they ended. */
  *recent(limit: number): Iterable<RecentEntry> {
    let left = limit;
    for (const [id, entry] of [...this.pending].reverse()) {
      if (left-- <= 0) return;
      yield { id, acceptedAt: entry.at, title: entry.alert.title, severity: entry.alert.severity, status: 'pending' };
    }
    const past = [...this.past.values()];
    const letters = SEVERITIES.flatMap((severity) => [...this.#letters[severity].values()]).sort(
      (a, b) => b.diedAt - a.diedAt,
    );
    let letter = 0;
    for (const entry of past) {
      while (letter < letters.length && letters[letter]!.diedAt >= entry.end.at) {
        if (left-- <= 0) return;
        yield deadEntry(letters[letter++]!);
      }
      if (left-- <= 0) return;
      yield pastEntry(entry);
    }
    for (; letter < letters.length && left-- > 0; letter++) yield deadEntry(letters[letter]!);
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
    this.pendingBytes -= bytesOf(entry.alert);
    const { alert, at } = entry;
    const title = alert.title.slice(0, TITLE_CHARS);
    const bytes = bytesOf(alert) + 100 * (entry.events.length + 1);
    if (event.type === 'dead') {
      this.#counts.dead++;
      this.#addLetter({ id, at, diedAt: event.at, title, severity: alert.severity, reason: event.reason, bytes });
      return;
    }
    this.#counts[event.type]++;
    this.#remember({ id, at, title, severity: alert.severity, end: event, bytes });
    this.#followFiring(alert, event);
  }

  #followFiring(alert: StoredAlert, event: Exclude<EndEvent, { type: 'dead' }>): void {
    if (alert.dedupKey === undefined || event.channel === undefined) return;
    this.firing.delete(alert.dedupKey);
    if (alert.status === 'resolved') return;
    this.firing.set(alert.dedupKey, event.channel);
    if (this.firing.size > MAX_FIRING) this.firing.delete(this.firing.keys().next().value!);
  }

  #setPending(id: string, entry: PendingEntry): void {
    if (!this.pending.has(id)) this.pendingBytes += bytesOf(entry.alert);
    this.pending.set(id, entry);
  }

  #remember(entry: PastEntry): void {
    const age = Math.max(0, this.#clock.now() - entry.end.at);
    if (age >= this.#ttlMs) return;
    this.past.set(entry.id, entry, { start: this.#clock.monotonic() - age });
  }

  #addLetter(entry: LetterEntry): void {
    if (this.#letters[entry.severity].has(entry.id)) return;
    this.#letters[entry.severity].set(entry.id, entry);
    this.letterBytes += entry.bytes;
  }

  #removeLetter(id: string): boolean {
    const entry = this.letter(id);
    if (!entry) return false;
    this.#letters[entry.severity].delete(id);
    this.letterBytes -= entry.bytes;
    return true;
  }
}

/** An estimate that costs nothing: what counts are the texts. `data` was measured when the alert was accepted. */
const sizes = new WeakMap<StoredAlert, number>();

/** Bytes of the alert as JSON, counted once. */
export function bytesOf(alert: StoredAlert): number {
  let bytes = sizes.get(alert);
  if (bytes === undefined) {
    bytes = JSON.stringify(alert).length;
    sizes.set(alert, bytes);
  }
  return bytes;
}

/** Tells the size of an alert whose JSON is at hand. */
export function noteBytes(alert: StoredAlert, bytes: number): void {
  sizes.set(alert, bytes);
}

function pastEntry(entry: PastEntry): RecentEntry {
  const { id, at, title, severity, end } = entry;
  return {
    id,
    acceptedAt: at,
    title,
    severity,
    status: end.type,
    endedAt: end.at,
    outcome:
      end.type === 'coalesced'
        ? { status: 'coalesced', id, into: end.into }
        : { status: 'delivered', id, channel: end.channel, attempts: [] },
  };
}

function deadEntry(entry: LetterEntry): RecentEntry {
  return {
    id: entry.id,
    acceptedAt: entry.at,
    title: entry.title,
    severity: entry.severity,
    status: 'dead',
    endedAt: entry.diedAt,
  };
}

/** The record of a pending alert. */
export function recordOf(entry: PendingEntry): AlertRecord & { readonly alert: StoredAlert } {
  return { id: entry.alert.id, acceptedAt: entry.at, alert: entry.alert, events: entry.events };
}
