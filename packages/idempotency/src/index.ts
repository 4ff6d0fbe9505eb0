export { IdempotencyError, type IdempotencyErrorCode, isIdempotencyError, type LeaseLossReason } from './errors.js';
export type { IdempotencyEvent } from './events.js';
export { fingerprintOf } from './fingerprint.js';
export { createIdempotency, type Idempotency, type Outcome, type Snapshot, type Stats } from './idempotency.js';
export type { Key, LaneKey } from './key.js';
export { type MemoryStoreOptions, memoryStore } from './memory-store.js';
export type { Operation } from './operation.js';
export type { IdempotencyOptions, RunOptions } from './options.js';
export type { Store } from './store.js';
