import type { Clock } from '@holdfast/clock';
import type { Severity, StoredAlert } from './alert.js';
import type { DeliveryEvent } from './events.js';
import type { AlertRecord, LifeEvent, Outcome } from './life.js';

/** How many alerts had which fate in the lifetime of a store. accepted = delivered + coalesced + dead + pending + evicted. */
export interface Counts {
  accepted: number;
  delivered: number;
  coalesced: number;
  /** Dead letters that are there now. */
  dead: number;
  pending: number;
  /** Dead letters that were dropped to keep the bound. */
  evicted: number;
}

/** What dead letters were dropped to keep their bound, summed up. Epoch milliseconds. */
export interface Evictions {
  readonly firstAt: number;
  readonly lastAt: number;
  readonly bySeverity: Readonly<Partial<Record<Severity, number>>>;
}

/** Proof that this instance may work on an alert. */
export interface Hold {
  readonly id: string;
  readonly token: string;
}

/** An alert that this instance may work on. */
export interface Work {
  readonly hold: Hold;
  readonly record: AlertRecord & { readonly alert: StoredAlert };
}

/** What survives a restart of a channel's condition. Times are epoch milliseconds. */
export interface ChannelCondition {
  readonly channel: string;
  readonly throttledUntil: number;
  readonly openUntil: number;
  readonly openMs: number;
}

/** Which dead letters. Everything that is given must hold. */
export interface DeadFilter {
  readonly ids?: readonly string[] | undefined;
  readonly severity?: Severity | readonly Severity[] | undefined;
  readonly reason?: string | undefined;
  /** Epoch milliseconds of the death. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly limit?: number | undefined;
}

/** A short entry of `recent()`. */
export interface RecentEntry {
  readonly id: string;
  readonly acceptedAt: number;
  readonly title: string;
  readonly severity: Severity;
  readonly status: 'pending' | 'delivered' | 'coalesced' | 'dead';
  /** Epoch milliseconds, once it has ended. */
  readonly endedAt?: number;
  readonly outcome?: Outcome;
}

/** Bounds that a store keeps. */
export interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** What `openDelivery` tells the store that it opens. */
export interface StoreContext {
  readonly clock: Clock;
  /** Names this life of this process; no two are equal. */
  readonly run: string;
  readonly history: Bounds & { readonly ttlMs: number };
  readonly deadLetters: Bounds;
  readonly startTimeoutMs: number;
  readonly onEvent: (event: DeliveryEvent) => void;
  /** How far opening has come, where that takes long. */
  readonly onProgress?: ((progress: { bytes: number; totalBytes: number }) => void) | undefined;
}

/** What `openDelivery` takes as `store`. */
export interface StoreDriver {
  readonly kind: 'memory' | 'file' | 'mongodb' | (string & {});
  open(context: StoreContext): Promise<DeliveryStore>;
}

/**
 * Where alerts, their events and their fates live. Every driver runs the conformance suite in `./testing`.
 *
 * An alert is pending, or it has ended; a pending one is held by at most one instance, and only its holder may add events.
 */
export interface DeliveryStore {
  /** Other processes may hold and finish alerts too: holds must be renewed, and work may appear from outside. */
  readonly shared: boolean;
  /** Where the dead-letter mirror goes when the caller says nothing. */
  readonly dir: string | undefined;
  /** What was there at opening. */
  readonly found: { readonly pending: number; readonly tornBytes: number; readonly quarantinedBytes: number };
  /** Why nothing more can be made durable, if so. */
  readonly failure: Error | undefined;

  /** Durable once it resolves. Atomic by id: of any number of calls one is `accepted`. `held: false` leaves it to `claim`. */
  accept(alert: StoredAlert, at: number, options: { held: boolean }): Promise<{ duplicate: boolean; work?: Work }>;
  /** Pending alerts that nobody holds, oldest first; held by the caller from now on, with a `recovered` event if they were begun or another life accepted them. */
  claim(limit: number): Promise<Work[]>;
  /** Adds events to alerts that are held. Durable once it resolves. Answers the ids whose hold was lost, which got nothing. */
  record(holds: readonly Hold[], events: readonly LifeEvent[]): Promise<readonly string[]>;
  /** Prolongs holds; answers the ids that are lost. */
  renew(holds: readonly Hold[]): Promise<readonly string[]>;
  /** Gives held alerts back, so that anybody may claim them at once. */
  release(holds: readonly Hold[]): Promise<void>;
  /** Makes a dead letter pending and held, atomically: `undefined` when it is not dead (any more). `held: false` only re-queues. */
  revive(
    id: string,
    event: Extract<LifeEvent, { type: 'replayed' }>,
    options: { held: boolean },
  ): Promise<Work | undefined>;

  find(id: string): Promise<AlertRecord | undefined>;
  /** Oldest first. */
  dead(filter: DeadFilter): AsyncIterable<AlertRecord & { readonly alert: StoredAlert }>;
  /** Newest first. */
  recent(limit: number): AsyncIterable<RecentEntry>;
  /** Where the last delivered firing of each `dedupKey` went, of those that are not resolved. */
  firingChannels(dedupKeys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  counts(): Counts;
  /** `undefined` while no dead letter had to go. */
  evictions(): Evictions | undefined;
  /** Looks at everything that is kept, and says in words what does not agree: an alert that can't be read, a state without its event. */
  audit(onProgress?: (checked: number) => void): Promise<{ checked: number; problems: string[] }>;
  /** Brings `counts` up to date where they are a copy. */
  refresh(): Promise<void>;

  conditions(): readonly ChannelCondition[];
  saveCondition(condition: ChannelCondition): Promise<void>;
  close(): Promise<void>;
}
