import { join } from 'node:path';
import { isJournalError, openJournal } from '@holdfast/journal';
import { fileBodies } from './archive.js';
import type { Bodies } from './bodies.js';
import { DeliveryError } from './errors.js';
import { Ledger } from './ledger.js';
import type { LedgerRecord } from './ledger-record.js';
import { LocalStore } from './local-store.js';
import type { DeliveryStore, StoreContext, StoreDriver } from './store.js';

/** What {@link fileStore} takes. */
export interface FileStoreOptions {
  /** The folder, made with mode 0700 when it is missing; files in it have mode 0600. One process at a time owns it. */
  dir: string;
  /**
   * Damage in the middle of the journal. `quarantine`: the bytes are set aside in `damaged/` and counted in
   * `recovered.quarantinedBytes`, the rest is loaded, and alerts go out. `refuse`: `openDelivery` rejects with kind `damaged`.
   *
   * @defaultValue `'quarantine'`
   */
  onDamage?: 'quarantine' | 'refuse' | undefined;
}

/** Half as much again as the largest alert: room for its events. */
const MAX_RECORD_BYTES = 36 * 1024 * 1024;

/**
 * Keeps alerts in a folder, in an append-only journal that needs no server.
 *
 * Guarantees: what is acknowledged is `fdatasync`ed and survives kill -9; a torn tail is cut and reported; a second process
 * is refused (`DELIVERY_STORE_FAILED`, kind `locked`, with pid and host). Does not guarantee anything on network file
 * systems, and can't be shared by instances: that is what `mongoStore` is for.
 */
export function fileStore(options: FileStoreOptions): StoreDriver {
  if (typeof options?.dir !== 'string' || options.dir === '') {
    throw new DeliveryError('DELIVERY_INVALID_OPTION', `dir must be the path of a folder, got ${String(options?.dir)}`);
  }
  const { dir, onDamage = 'quarantine' } = options;
  if (onDamage !== 'quarantine' && onDamage !== 'refuse') {
    throw new DeliveryError(
      'DELIVERY_INVALID_OPTION',
      `onDamage must be 'quarantine' or 'refuse', got ${String(onDamage)}`,
    );
  }
  return { kind: 'file', open: (context) => openFiles(dir, onDamage, context, MACHINE) };
}

/** What a file store stands on; the simulation gives its own, with faults. */
export interface Machine {
  readonly openJournal: typeof openJournal<LedgerRecord>;
  openBodies(dir: string): Promise<Bodies>;
}

const MACHINE: Machine = { openJournal, openBodies: (dir) => fileBodies(dir) };

/** Opens the store in a folder of the given machine. */
export async function openFiles(
  dir: string,
  onDamage: 'quarantine' | 'refuse',
  context: StoreContext,
  machine: Machine,
): Promise<DeliveryStore> {
  let bodies: Bodies | undefined;
  const ledger = new Ledger({
    clock: context.clock,
    history: context.history,
    onForgotten: (id) => bodies?.drop('past', id),
  });
  try {
    const journal = await machine.openJournal({
      dir,
      apply: (record) => ledger.apply(record),
      snapshot: () => ledger.snapshot(context.run),
      maxRecordBytes: MAX_RECORD_BYTES,
      onDamage,
      onProgress: context.onProgress,
      openTimeoutMs: context.startTimeoutMs,
      clock: context.clock,
      onEvent: (event) => {
        if (event.type === 'journal.failed' || event.type === 'journal.write-failed') {
          context.onEvent({ type: 'store.failed', during: event.type, reason: event.reason });
        } else if (event.type === 'journal.damage-found') {
          const { file, offset, bytes } = event;
          context.onEvent({ type: 'store.notice', name: event.type, reason: `${bytes} bytes at ${offset} of ${file}` });
        } else if (event.type === 'journal.compaction-failed' || event.type === 'journal.directory-sync-unsupported') {
          context.onEvent({ type: 'store.notice', name: event.type, reason: event.reason });
        }
      },
    });
    try {
      // Opened behind the journal's lock: one owner for both.
      bodies = await machine.openBodies(join(dir, 'ended'));
      bodies.retain('past', (id) => ledger.past.has(id));
      bodies.retain('dead', (id) => ledger.letters.get(id) !== undefined);
      await journal.append({ t: 'run', v: 1, run: context.run, at: context.clock.now() });
    } catch (error) {
      await journal.close();
      throw error;
    }
    const { tornBytes, quarantinedBytes } = journal.stats();
    return new LocalStore({
      ledger,
      bodies,
      context,
      dir,
      found: { pending: ledger.pending.size, tornBytes, quarantinedBytes },
      log: {
        append: (records) => journal.append(records),
        get failure() {
          return journal.failure;
        },
        close: () => journal.close(),
      },
    });
  } catch (error) {
    throw refusal(dir, error);
  }
}

function refusal(dir: string, error: unknown): DeliveryError {
  const code = isJournalError(error) ? error.code : undefined;
  if (isJournalError(error) && code === 'JOURNAL_LOCKED') {
    const { pid, host } = error.owner ?? {};
    const owner = pid === undefined ? 'another process' : `pid ${pid} on ${host}`;
    return new DeliveryError(
      'DELIVERY_STORE_FAILED',
      `the folder ${dir} is in use by ${owner}: stop it, or choose another folder`,
      {
        kind: 'locked',
        dir,
        pid,
        host,
        cause: error,
      },
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  const kind = code === 'JOURNAL_DAMAGED' ? 'damaged' : 'unusable';
  return new DeliveryError('DELIVERY_STORE_FAILED', `the folder ${dir} can not be opened: ${reason}`, {
    kind,
    dir,
    cause: error,
  });
}
