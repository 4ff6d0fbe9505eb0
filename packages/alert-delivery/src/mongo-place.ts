import type { Clock } from '@holdfast/clock';
import type { Collection, Document } from 'mongodb';
import { DeliveryError } from './errors.js';
import type { AlertDocument } from './mongo-document.js';
import type { Totals } from './mongo-purge.js';

/** Majority, and journaled: `j` unset or false makes a majority write 100 times slower (research, measured). */
export const WRITE = { writeConcern: { w: 'majority' as const, journal: true } };
export const READ = { readConcern: { level: 'majority' as const } };
/** Longer than an unplanned failover with a 2 s election; an alert must not wait much longer to be sent unstored. */
export const OPERATION_MS = 10_000;

/** The two collections. */
export interface Place {
  readonly alerts: Collection<AlertDocument>;
  readonly meta: Collection<Document & { _id: string }>;
}

/** The meta collection, as far as the totals are concerned. */
export function totalsOf({ meta }: Place): Collection<Totals> {
  return meta as unknown as Collection<Totals>;
}

export const literal = (value: unknown): Document => ({ $literal: value });

/** Ends a stalled call: the driver has no limit of its own that does. What comes later is settled by reading back. */
export async function bounded<T>(clock: Clock, operation: Promise<T>): Promise<T> {
  let cancel: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.schedule(
      OPERATION_MS,
      () => reject(new Error(`the database did not answer within ${OPERATION_MS} ms`)),
      { ref: true },
    );
  });
  operation.catch(() => undefined);
  try {
    return await Promise.race([operation, late]);
  } finally {
    cancel?.();
  }
}

export function storeFailed(error: unknown): DeliveryError {
  const reason = withoutPassword(error instanceof Error ? error.message : String(error));
  return new DeliveryError('DELIVERY_STORE_FAILED', `the database did not take a write: ${reason}`, {
    kind: 'write',
    cause: new Error(reason),
  });
}

export function withoutPassword(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)[^@/\s]*@/gi, '$1');
}
