export type { Change } from './changes.js';
export type { Entry, Row, Stored } from './entry.js';
export {
  isKbError,
  KbError,
  type KbErrorCode,
  type KbErrorFacts,
  type KbStartKind,
  type Settlement,
} from './errors.js';
export type { KbEvent } from './events.js';
export { type FileStoreOptions, fileStore } from './file-store.js';
export type { KbHealth, KbState } from './health.js';
export type { Kb, KbStats, PutOptions } from './kb.js';
export { openKb } from './open-kb.js';
export { DEFAULTS, type KbOptions } from './options.js';
export type { Hit, Query, QueryResult } from './query.js';
export type {
  KbStore,
  LoadProgress,
  OpenStore,
  StoreComparison,
  StoreContext,
  StoreHealth,
  StoreWrite,
  WriteLimits,
  WriteOutcome,
} from './store.js';
export type { TextOptions } from './text-options.js';
export { fromJsonLines, type ImportResult, toJsonLines, toMarkdown } from './transfer.js';
export type { VerifyOptions, VerifyProgress, VerifyReport } from './verify.js';
