import { join } from 'node:path';
import {
  type Delivery,
  type DeliveryOptions,
  fileStore as deliveryFiles,
  openDelivery,
} from '@holdfast/alert-delivery';
import { mongoStore as deliveryMongo } from '@holdfast/alert-delivery/mongodb';
import { createIdempotency, type Idempotency, type IdempotencyOptions } from '@holdfast/idempotency';
import { fileStore as idempotencyFiles } from '@holdfast/idempotency/file';
import { mongoStore as idempotencyMongo } from '@holdfast/idempotency/mongodb';
import { type Entry, type Kb, type KbOptions, fileStore as kbFiles, openKb } from '@holdfast/persistent-kb';
import { mongoStore as kbMongo } from '@holdfast/persistent-kb/mongodb';
import type { Config } from './config.js';

/** A start that waits longer than this for a database is given up; DESIGN promises an answer within 30 s. */
const START_TIMEOUT_MS = 20_000;
/** Of `close`: what is under way may finish, the rest stays in the store for the next start. */
const CLOSE_TIMEOUT_MS = 5_000;

/** How the three stores are opened: in files under `DATA_DIR`, or all in MongoDB. The code above them is the same. */
export interface Stores {
  openKb(onEvent: KbOptions['onEvent']): Promise<Kb<Entry>>;
  openIdempotency(onEvent: IdempotencyOptions['onEvent']): Promise<Idempotency>;
  openDelivery(options: Pick<DeliveryOptions, 'chain' | 'onEvent' | 'critical'>): Promise<Delivery>;
  closeDelivery(delivery: Delivery): Promise<unknown>;
}

/** Chooses the stores that the configuration asks for. */
export function storesOf(config: Config): Stores {
  const { MONGODB_URI: uri, DATA_DIR: dir } = config;
  return {
    openKb: (onEvent) =>
      openKb<Entry>({
        store: uri ? kbMongo({ uri }) : kbFiles({ dir: join(dir, 'kb') }),
        startTimeoutMs: START_TIMEOUT_MS,
        onEvent,
      }),
    async openIdempotency(onEvent) {
      const idempotency = createIdempotency({
        store: uri ? idempotencyMongo({ uri }) : idempotencyFiles({ dir: join(dir, 'idempotency') }),
        // An alert that says "the database is down" must get out while it is.
        onStoreError: 'run',
        onEvent,
      });
      await idempotency.ready();
      return idempotency;
    },
    openDelivery: (options) =>
      openDelivery({
        ...options,
        store: uri ? deliveryMongo({ uri }) : deliveryFiles({ dir: join(dir, 'journal') }),
        deadLetter: join(dir, 'failed-alerts.jsonl'),
        startTimeoutMs: START_TIMEOUT_MS,
      }),
    closeDelivery: (delivery) => delivery.close({ timeoutMs: CLOSE_TIMEOUT_MS }),
  };
}
