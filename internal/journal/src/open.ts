import { join } from 'node:path';
import { createEmitter } from '@holdfast/observe';
import { type Collaborators, collaborators, type Workplace } from './context.js';
import type { Journal, JournalEvent, JournalOptions } from './contract.js';
import { enterEpoch, leaveEpoch } from './epoch.js';
import { isJournalError, JournalError, reasonOf } from './errors.js';
import { syncParents } from './file-system.js';
import { OpenJournal } from './journal.js';
import { epochName, newestEpoch } from './layout.js';
import { type ResolvedOptions, resolveOptions } from './options.js';
import type { JournalOwnership } from './ownership.js';
import { repair } from './repair.js';
import { replay } from './replay.js';
import { ActiveSegment } from './segment.js';

/**
 * Opens the journal in `dir`, replays it through `apply`, and resolves once it is ready to append.
 *
 * Guaranteed: one owner a directory; every record whose `append` resolved is replayed, in order, after any crash of the
 * process, and after a power cut on a disk that keeps what it synced. A torn tail is cut and evented; damage anywhere else is
 * refused, or set aside in `damaged/`, never skipped in silence. Memory is bounded by the largest record, and the event
 * loop is not kept longer than it takes to parse and apply one record.
 * Not guaranteed: detection of a whole newest segment that somebody removed; network file systems.
 *
 * @throws JournalError `JOURNAL_LOCKED` (at once if the owner is alive, else after `openTimeoutMs`), `JOURNAL_DAMAGED`,
 * `JOURNAL_UNUSABLE` (no permission, no space, a newer format, `apply` threw); TypeError or RangeError for a bad option;
 * `signal.reason` untouched
 * @see docs/decisions/0002-journal.md
 */
export function openJournal<R>(options: JournalOptions<R>): Promise<Journal<R>> {
  return openJournalWith(resolveOptions(options), collaborators);
}

/** {@link openJournal} over a given file system, lock and protocol. */
export async function openJournalWith<R>(options: ResolvedOptions<R>, given: Collaborators): Promise<Journal<R>> {
  const { dir, clock, signal, staleMs, openTimeoutMs: timeoutMs } = options;
  const started = clock.monotonic();
  const emit = createEmitter<JournalEvent>('journal', options.onEvent);
  let reported = false;
  const onUnsupported = (error: unknown): void => {
    if (!reported) emit({ type: 'journal.directory-sync-unsupported', dir, reason: reasonOf(error) });
    reported = true;
  };
  let owner: JournalOwnership | undefined;
  try {
    signal?.throwIfAborted();
    const { fs, protocol } = given;
    await fs.mkdir(dir, { recursive: true, mode: 0o700 });
    // With an epoch in it, somebody has come past this before.
    if (newestEpoch(await fs.readdir(dir)) === undefined)
      await syncParents(dir, (parent) => protocol.makeNamesDurable(fs, parent, () => undefined));
    owner = await given.acquire(dir, { staleMs, timeoutMs, signal, clock });
    const held = owner;
    const epoch = await enterEpoch(fs, dir, held);
    await protocol.makeNamesDurable(fs, dir, onUnsupported);
    held.assertHeld();
    const epochDir = join(dir, epochName(epoch.now));
    const place: Workplace = { ...given, dir, epochDir, epoch: epoch.now, owner, clock, emit, onUnsupported };
    const read = await replay<R>(place, {
      onDamage: options.onDamage,
      apply: (record) => options.apply(record, 'replay'),
      onProgress: options.onProgress,
      checkpoint() {
        signal?.throwIfAborted();
        held.assertHeld();
      },
    }).catch(async (error: unknown) => {
      await leaveEpoch(fs, dir, held, epoch);
      throw error;
    });
    const { files, next } = await repair(place, read);
    const active = await ActiveSegment.create(place, next);
    held.assertHeld(); // or a later owner has acknowledged what was not read here
    const { tornBytes, quarantinedBytes } = read;
    const journal = new OpenJournal(place, options, { files, active, tornBytes, quarantinedBytes });
    const { bytes, records } = journal.stats();
    emit({ type: 'journal.opened', dir, records, bytes, ms: clock.monotonic() - started });
    return journal;
  } catch (error) {
    await owner?.release().catch(() => undefined); // the first error is the one to tell
    if (signal?.aborted && error === signal.reason) throw error;
    if (isJournalError(error)) throw error;
    throw new JournalError('JOURNAL_UNUSABLE', `the journal in ${dir} can't be opened: ${reasonOf(error)}`, {
      cause: error,
      dir,
    });
  }
}
