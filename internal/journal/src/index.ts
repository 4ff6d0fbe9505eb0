export type {
  Journal,
  JournalErrorCode,
  JournalEvent,
  JournalOptions,
  JournalOwner,
  JournalStats,
} from './contract.js';
export { isJournalError, JournalError } from './errors.js';
export { openJournal } from './open.js';
export { DEFAULTS } from './options.js';
