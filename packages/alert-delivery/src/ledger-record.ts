import type { Severity, StoredAlert } from './alert.js';
import type { LetterEntry } from './letters.js';
import type { AlertRecord, EndEvent, LifeEvent } from './life.js';
import type { ChannelCondition, Counts, Evictions } from './store.js';

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
      readonly evictions?: Evictions;
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

/** An alert that is over: what memory keeps of it. One that ended dead was a dead letter and has been evicted. */
export interface PastEntry {
  readonly id: string;
  readonly at: number;
  readonly title: string;
  readonly severity: Severity;
  readonly end: EndEvent;
  /** Of the body that the archive keeps. */
  readonly bytes: number;
}

/** The record of a pending alert. */
export function recordOf(entry: PendingEntry): AlertRecord & { readonly alert: StoredAlert } {
  return { id: entry.alert.id, acceptedAt: entry.at, alert: entry.alert, events: entry.events };
}
