export type { Alert, Digest, Severity, StoredAlert } from './alert.js';
export { SEVERITIES } from './alert.js';
export type { Channel, Receipt, SendContext, Step } from './channel.js';
export type { CloseReport, DeadLetter, Delivery, Recovered, ReplayFilter, Stats } from './contract.js';
export { openDelivery } from './delivery.js';
export type { DeliveryErrorCode, DeliveryErrorFacts } from './errors.js';
export { ChannelError, DeliveryError, isChannelError, isDeliveryError } from './errors.js';
export type { DeliveryEvent } from './events.js';
export type { FileStoreOptions } from './file-store.js';
export { fileStore } from './file-store.js';
export type { Attempt, DeadReason, EscalationReason, LifeEvent, Outcome, Timeline } from './life.js';
export type { LogOptions } from './log.js';
export { log } from './log.js';
export type { CriticalFailure, DeliveryOptions } from './options.js';
export { DEFAULTS } from './options.js';
export type {
  ChannelCondition,
  Counts,
  DeadFilter,
  DeliveryStore,
  Hold,
  RecentEntry,
  StoreContext,
  StoreDriver,
  Work,
} from './store.js';
export type { Verdict, VerdictKind } from './verdict.js';
