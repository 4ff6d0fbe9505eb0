import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '@holdfast/clock';
import type { Progress } from './command.js';
import { DeliveryError, isDeliveryError, reasonOf } from './errors.js';
import { fileStore } from './file-store.js';
import { DEFAULTS } from './options.js';
import type { DeliveryStore, StoreDriver } from './store.js';

/** How often a folder is copied again whose files were replaced under the copy, by a service that compacts them. */
const COPIES = 5;

/** Opens what a command names, without a delivery over it: nothing is sent, nothing is forgotten. */
export async function withPlace(
  request: { readonly place: string; readonly collection: string | undefined; readonly writes: boolean },
  progress: Progress,
  use: (store: DeliveryStore) => Promise<number>,
): Promise<number> {
  const { place, collection, writes } = request;
  if (/^mongodb(\+srv)?:\/\//.test(place)) {
    const { mongoStore } = await import('./mongo-store.js');
    return await withStore(mongoStore({ uri: place, collectionName: collection }), progress, use);
  }
  await assertAlerts(place);
  if (writes) return await withStore(fileStore({ dir: place, onDamage: 'refuse' }), progress, use);
  for (let copy = 1; ; copy++) {
    const temporary = await mkdtemp(join(tmpdir(), 'alert-delivery-'));
    try {
      progress(`copying ${place}`);
      await copyOf(place, temporary);
      return await withStore(fileStore({ dir: temporary, onDamage: 'refuse' }), progress, use);
    } catch (error) {
      const moved = (error as { code?: unknown }).code === 'ENOENT' || isDeliveryError(error, 'DELIVERY_STORE_FAILED');
      if (!moved || copy >= COPIES || !(await changing(place))) throw named(error, temporary, place);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

async function withStore(
  driver: StoreDriver,
  progress: Progress,
  use: (store: DeliveryStore) => Promise<number>,
): Promise<number> {
  const store = await driver.open({
    clock: systemClock,
    run: randomUUID(),
    // As the folder is: a command forgets and evicts nothing.
    history: {
      maxEntries: Number.POSITIVE_INFINITY,
      maxBytes: Number.MAX_SAFE_INTEGER,
      ttlMs: Number.MAX_SAFE_INTEGER,
    },
    deadLetters: { maxEntries: Number.POSITIVE_INFINITY, maxBytes: Number.MAX_SAFE_INTEGER },
    startTimeoutMs: DEFAULTS.startTimeoutMs,
    onEvent: () => undefined,
    onProgress: ({ bytes, totalBytes }) => progress(`read ${bytes} of ${totalBytes} bytes`),
  });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** A misspelled folder must not be made, and then found to be empty and in order. */
async function assertAlerts(place: string): Promise<void> {
  const names = await readdir(place).catch((error: unknown) => {
    throw new Error(`there is no folder ${place}: ${reasonOf(error)}`);
  });
  if (!names.some((name) => name.startsWith('epoch-'))) throw new Error(`there are no alerts in the folder ${place}`);
}

/** All but the lock, which belongs to the folder's owner. */
async function copyOf(from: string, to: string): Promise<void> {
  const root = resolve(from);
  await cp(root, to, {
    recursive: true,
    filter: (path) => !path.slice(root.length + 1).startsWith('owner'),
  });
}

/** A service has the folder open: its lock is there. */
async function changing(place: string): Promise<boolean> {
  return (await readdir(place)).some((name) => name.startsWith('owner'));
}

/** The person knows the folder, not the copy. */
function named(error: unknown, temporary: string, place: string): unknown {
  if (!(error instanceof Error) || !error.message.includes(temporary)) return error;
  const message = error.message.replaceAll(temporary, place);
  if (!isDeliveryError(error)) return new Error(message, { cause: error });
  return new DeliveryError(error.code, message, { kind: error.kind, dir: place, cause: error });
}
