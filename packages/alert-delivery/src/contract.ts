import type { Alert, StoredAlert } from './alert.js';
import type { Attempt, DeadReason, Outcome, Timeline } from './life.js';
import type { Counts, DeadFilter, Evictions, RecentEntry } from './store.js';

/** What the last process left in the store, counted by what becomes of it. */
export interface Recovered {
  /** All alerts that were accepted and had not ended. */
  readonly pending: number;
  /** Of these: no attempt was begun. */
  readonly neverTried: number;
  /** Of these: an attempt may have arrived, so that the next one is marked. */
  readonly maybeRepeat: number;
  /** Bytes of a torn last record that were cut; nothing in them was acknowledged. */
  readonly tornBytes: number;
  /** Bytes of damage elsewhere that were set aside: records in them may be lost. 0 unless the disk, or a person, broke something. */
  readonly quarantinedBytes: number;
}

/** A dead letter: the whole alert, every attempt, and why it ended. `v` is the version of this shape. */
export interface DeadLetter {
  readonly v: 1;
  readonly id: string;
  readonly alert: StoredAlert;
  readonly reason: DeadReason;
  readonly attempts: readonly Attempt[];
  /** Epoch milliseconds. */
  readonly acceptedAt: number;
  readonly diedAt: number;
}

/** Which dead letters to send again. */
export interface ReplayFilter extends DeadFilter {
  /** A new idempotency key, so that providers with a memory deliver it again. */
  readonly asNew?: boolean | undefined;
  /** At most so many a second. */
  readonly perSecond?: number | undefined;
  /** Which goes first: by time of death, or critical ones. @defaultValue `'oldest'` */
  readonly order?: 'oldest' | 'newest' | 'severity' | undefined;
  /** Only yields what would be sent, each as it ended. */
  readonly dryRun?: boolean | undefined;
}

/** Counts over the store's lifetime, and the channels as they are now. */
export interface Stats extends Counts {
  /** accepted = delivered + coalesced + dead + pending + evicted. False is a defect of this package, and an event. */
  readonly lawHolds: boolean;
  /** Sent while the store could not write. Nothing of these survives a crash. */
  readonly undurable: number;
  readonly selfAlerts: number;
  /** Of the dead-man switch: beats that the monitor got, that failed, and that were held back because something is wrong here. */
  readonly heartbeats: { readonly sent: number; readonly failed: number; readonly withheld: number };
  /** Test messages through each step, apart from the six. */
  readonly canaries: { readonly delivered: number; readonly failed: number };
  /** What `evicted` consists of; absent while it is 0. Of this store's lifetime, on MongoDB too. */
  readonly evictions?: Evictions;
  readonly channels: Readonly<
    Record<string, { waiting: number; active: number; breaker: 'closed' | 'open' | 'half-open'; throttledMs: number }>
  >;
}

/** What `close` left. */
export interface CloseReport {
  /** Accepted and safe, left to the next start. */
  readonly journaled: number;
  readonly lawHolds: boolean;
  readonly ms: number;
}

/** An open delivery. Safe for any number of concurrent callers. */
export interface Delivery extends AsyncDisposable {
  readonly recovered: Recovered;
  /** Resolves once the alert is durable; delivery goes on by itself. The same id again is a duplicate. */
  accept(alert: Alert): Promise<{ id: string; duplicate: boolean }>;
  /** Accepts and waits for the end. Failure to deliver is data, not an exception. `signal` ends the waiting only. */
  notify(alert: Alert, options?: { signal?: AbortSignal | undefined }): Promise<Outcome>;
  /** Dead letters, oldest first. */
  dead(filter?: DeadFilter): AsyncIterable<DeadLetter>;
  /** Sends dead letters again, one after the other, and yields how each ended. A failure is a dead letter again, once. */
  replay(filter?: ReplayFilter): AsyncIterable<Outcome>;
  /** All that is known of one alert. */
  explain(id: string): Promise<Timeline | undefined>;
  /** Recent alerts, newest first, with what became of them; from the store, so the same after a restart. */
  recent(options?: number | { limit?: number | undefined }): AsyncIterable<RecentEntry>;
  stats(): Stats;
  /** Resolves when nothing that was accepted here before the call is on its way any more. */
  flush(): Promise<void>;
  /** Stops intake, waits up to `timeoutMs` for what is on its way, leaves the rest to the next start. Idempotent. */
  close(options?: { timeoutMs?: number | undefined }): Promise<CloseReport>;
}
