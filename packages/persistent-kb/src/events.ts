import type { KbStartKind } from './errors.js';

/** What a knowledge base tells its `onEvent`, and `node:diagnostics_channel` `holdfast.persistent-kb`. */
export type KbEvent =
  /** Loaded and serving. */
  | { type: 'kb.opened'; store: string; entries: number; ms: number }
  | { type: 'kb.start-failed'; store: string; kind: KbStartKind; reason: string }
  /** The text index covers every entry; until then text queries answered by a scan. */
  | { type: 'kb.text-indexed'; entries: number; ms: number }
  /** Indexing threw; the text index is rebuilt behind, queries scan meanwhile. */
  | { type: 'kb.index-dirtied'; reason: string }
  | { type: 'kb.health-changed'; from: string; to: string; reason?: string | undefined }
  /** A stored entry that can't be read was set aside; it is counted in `health().quarantined` and never written over. */
  | { type: 'kb.entry-quarantined'; id: string; reason: string }
  /** The bytes of a write that a crash tore were cut off; it had not been acknowledged. */
  | { type: 'kb.tail-cut'; file: string; bytes: number }
  | { type: 'kb.damage-quarantined'; file: string; offset: number; bytes: number }
  | { type: 'kb.directory-sync-unsupported'; dir: string; reason: string }
  | { type: 'kb.compacted'; bytesBefore: number; bytesAfter: number; ms: number }
  | { type: 'kb.compaction-failed'; reason: string }
  /** The store may or may not have a write; its id waits until that is settled. */
  | { type: 'kb.outcome-unknown'; id: string; opId: string; reason: string }
  | { type: 'kb.outcome-settled'; id: string; opId: string; status: 'written' | 'not-written' | 'unknowable' }
  /** The change history no longer reaches back to what is in memory: everything is compared. */
  | { type: 'kb.history-lost'; reason: string }
  | { type: 'kb.reconciled'; compared: number; changed: number; ms: number }
  /** Following other instances' changes failed and is tried again. */
  | { type: 'kb.tail-failed'; reason: string; retryInMs: number }
  | { type: 'kb.closed'; store: string };
