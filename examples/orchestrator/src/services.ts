import type { Delivery } from '@holdfast/alert-delivery';
import type { Health } from '@holdfast/graceful-shutdown/health';
import type { Idempotency } from '@holdfast/idempotency';
import type { Entry, Kb } from '@holdfast/persistent-kb';
import type { Logger } from 'pino';
import type { Activity } from './activity.js';
import type { AlertBook } from './alert-book.js';
import type { Broadcaster } from './broadcaster.js';
import type { Config } from './config.js';
import type { Consolidation } from './consolidation.js';
import type { LiveFeed } from './live-feed.js';
import type { Metrics } from './metrics.js';
import type { Rows } from './rows.js';

/** What the routes work with. The stores can be used once the lifecycle has started them. */
export interface Services {
  readonly config: Config;
  readonly log: Logger;
  readonly kb: Kb<Entry>;
  readonly idempotency: Idempotency;
  readonly delivery: Delivery;
  readonly book: AlertBook;
  readonly consolidation: Consolidation;
  readonly metrics: Metrics;
  readonly activity: Activity;
  readonly feed: LiveFeed;
  readonly rows: Rows;
  readonly broadcaster: Broadcaster;
  health(): Health;
  /** Runs work that the drain waits for. */
  job<T>(name: string, fn: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Aborted once the drain has begun: nothing new is taken. */
  readonly draining: AbortSignal;
}
