import { join } from 'node:path';
import { syncNames, type Workplace } from './context.js';
import type { Journal, JournalStats } from './contract.js';
import { encodeCommit, recordsOf, takeCommit, toJson, type Waiting } from './encode.js';
import { JournalError, reasonOf } from './errors.js';
import { codeOf } from './file-system.js';
import { logName } from './layout.js';
import type { ResolvedOptions } from './options.js';
import type { ReadFile, Recovered } from './recover.js';
import { ActiveSegment, Untrusted } from './segment.js';
import { writeSnapshot } from './snapshot.js';
import { compactionDue, type Growth } from './when-to-compact.js';

/** What a full disk or an exhausted table says when a file is created: it passes, the present segment goes on growing. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** The journal of an owned and recovered directory. See docs/decisions/0002-journal.md for its states. */
export class OpenJournal<R> implements Journal<R> {
  readonly #place: Workplace;
  readonly #options: ResolvedOptions<R>;
  readonly #abort = new AbortController();
  #active: ActiveSegment;
  /** Finished files that make up the state together with the active segment. */
  #files: ReadFile[];
  #activeRecords = 0;
  #queue: Waiting[] = [];
  /** Work between two commits, when every durable record has been applied. */
  #between: (() => Promise<void>)[] = [];
  #draining: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: JournalError | undefined;
  /** Segment size at which to rotate; moves on when a rotation fails for want of space. */
  #rotateAt: number;
  #growth: Growth;
  #stats: { appends: number; syncs: number; compactions: number; tornBytes: number; quarantinedBytes: number };

  constructor(place: Workplace, options: ResolvedOptions<R>, recovered: Recovered, active: ActiveSegment) {
    this.#place = place;
    this.#options = options;
    this.#active = active;
    this.#rotateAt = options.segmentBytes;
    this.#files = [...(recovered.snapshot ? [recovered.snapshot] : []), ...recovered.logs];
    this.#growth = { snapshotBytes: recovered.snapshot?.bytes ?? 0, retryAtBytes: 0 };
    const { tornBytes, quarantinedBytes } = recovered;
    this.#stats = { appends: 0, syncs: 0, compactions: 0, tornBytes, quarantinedBytes };
    const onLost = (): void => {
      this.#fail(new Error('the directory was taken over by another owner', { cause: place.owner.signal.reason }));
    };
    if (place.owner.signal.aborted) onLost();
    else place.owner.signal.addEventListener('abort', onLost, { once: true, signal: this.#abort.signal });
    this.#compactIfDue();
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  append(record: R | readonly R[]): Promise<void> {
    if (this.#closing) return Promise.reject(this.#closedError());
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const json = toJson(record);
      const bytes = Buffer.byteLength(json);
      const limitBytes = this.#options.maxRecordBytes;
      if (bytes > limitBytes)
        throw new JournalError(
          'JOURNAL_TOO_LARGE',
          `a record of ${bytes} bytes is above maxRecordBytes ${limitBytes}`,
          {
            dir: this.#place.dir,
            bytes,
            limitBytes,
          },
        );
      this.#queue.push({ json, bytes, resolve, reject });
      this.#drain();
    });
  }

  compact(): Promise<void> {
    if (this.#closing) return Promise.reject(this.#closedError());
    if (this.#failure) return Promise.reject(this.#failure);
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = undefined;
      this.#compactIfDue();
    });
    return this.#compacting;
  }

  stats(): JournalStats {
    const sum = (of: (file: ReadFile) => number): number => this.#files.reduce((total, file) => total + of(file), 0);
    return {
      ...this.#stats,
      bytes: sum((file) => file.bytes) + this.#active.size,
      records: sum((file) => file.records) + this.#activeRecords,
      segments: this.#files.filter((file) => file.name.endsWith('.log')).length + 1,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts the one loop that writes, unless it runs. It begins in a later turn, so that appends of this one share a commit. */
  #drain(): void {
    this.#draining ??= this.#run().finally(() => {
      this.#draining = undefined;
    });
  }

  async #run(): Promise<void> {
    await this.#place.nextTurn();
    while (this.#queue.length > 0 || this.#between.length > 0) {
      if (this.#active.size >= this.#rotateAt) await this.#rotate();
      for (const work of this.#between.splice(0)) await work();
      if (this.#queue.length > 0 && !this.#failure) await this.#commit(takeCommit(this.#queue));
      await this.#place.nextTurn();
    }
  }

  async #commit(commit: Waiting[]): Promise<void> {
    const start = this.#active.size;
    const bytes = encodeCommit(commit, start, this.#active.seed);
    try {
      await this.#active.commit(bytes);
      this.#stats.syncs++;
      this.#place.protocol.confirmOwned(this.#place.owner);
      if (this.#failure) throw this.#failure;
    } catch (error) {
      const passing = !(error instanceof Untrusted) && this.#active.size === start && !this.#failure;
      const failure = passing ? this.#writeFailed(error) : this.#fail(error);
      for (const waiting of commit) waiting.reject(failure);
      return;
    }
    for (const waiting of commit) this.#settle(waiting);
    this.#compactIfDue();
  }

  #settle(waiting: Waiting): void {
    if (this.#failure) {
      waiting.reject(this.#failure);
      return;
    }
    try {
      for (const record of recordsOf<R>(waiting.json)) {
        this.#options.apply(record, 'live');
        this.#activeRecords++;
      }
    } catch (cause) {
      // The state is no longer what the log says; the next open makes it anew.
      waiting.reject(this.#fail(new Error('apply threw', { cause })));
      return;
    }
    this.#stats.appends++;
    waiting.resolve();
  }

  /** Begins a new segment. Without space for it the present one goes on. */
  async #rotate(): Promise<void> {
    if (!this.#active.used || this.#failure) return;
    const before = this.#active;
    try {
      await before.end('rotated');
      const next = await ActiveSegment.create(this.#place, before.number + 1);
      this.#files.push({ name: before.name, bytes: before.size, records: this.#activeRecords });
      this.#active = next;
      this.#activeRecords = 0;
      this.#rotateAt = this.#options.segmentBytes;
      await before.close();
      this.#place.emit({ type: 'journal.rotated', segment: next.number });
    } catch (error) {
      if (error instanceof Untrusted || !PASSING.has(codeOf(error))) {
        this.#fail(error);
      } else {
        this.#rotateAt = this.#active.size + this.#options.segmentBytes / 4;
        this.#writeFailed(error);
      }
    }
  }

  async #compact(): Promise<void> {
    const started = this.#place.clock.monotonic();
    const bytesBefore = this.stats().bytes;
    try {
      const { segment, records } = await this.#beginSnapshot();
      const written = await writeSnapshot(this.#place, segment, records, () => this.#checkpoint());
      await this.#nameSnapshot(written, segment);
      this.#stats.compactions++;
      this.#growth = { snapshotBytes: written.bytes, retryAtBytes: 0 };
      const ms = this.#place.clock.monotonic() - started;
      this.#place.emit({ type: 'journal.compacted', bytesBefore, bytesAfter: this.stats().bytes, ms });
    } catch (error) {
      this.#growth.retryAtBytes = this.stats().bytes + this.#options.segmentBytes;
      if (!this.#closing) this.#place.emit({ type: 'journal.compaction-failed', reason: reasonOf(error) });
      if (this.#failure) throw this.#failure;
      if (error instanceof JournalError) throw error;
      throw new JournalError('JOURNAL_WRITE_FAILED', `compaction of ${this.#place.dir} failed: ${reasonOf(error)}`, {
        cause: error,
        dir: this.#place.dir,
      });
    }
  }

  /** Rotates and takes the snapshot's iterator at the one moment when the state is exactly the segments below the new one. */
  #beginSnapshot(): Promise<{ segment: number; records: Iterator<R> }> {
    return new Promise((resolve, reject) => {
      this.#between.push(async () => {
        try {
          this.#checkpoint();
          await this.#rotate();
          this.#checkpoint();
          if (this.#active.used) throw Object.assign(new Error('no space for a new segment'), { code: 'ENOSPC' });
          resolve({ segment: this.#active.number, records: this.#options.snapshot()[Symbol.iterator]() });
        } catch (error) {
          reject(error);
        }
      });
      this.#drain();
    });
  }

  /** Makes the snapshot's name durable, and only then removes what it replaces. */
  async #nameSnapshot(written: ReadFile, segment: number): Promise<void> {
    const { fs, epochDir } = this.#place;
    try {
      await syncNames(this.#place);
    } catch (cause) {
      throw this.#fail(new Untrusted(`the names in ${epochDir} can't be made durable`, { cause }));
    }
    const first = logName(segment);
    const obsolete = this.#files.filter((file) => file.name < first && file.name !== written.name);
    this.#files = [written, ...this.#files.filter((file) => file.name >= first && file.name.endsWith('.log'))];
    for (const { name } of obsolete)
      await fs.unlink(join(epochDir, name)).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
  }

  #compactIfDue(): void {
    if (this.#compacting || this.#closing || this.#failure) return;
    const { bytes, segments } = this.stats();
    if (compactionDue(this.#growth, { bytes, segments }, this.#options.segmentBytes))
      this.compact().catch(() => undefined); // told by its event
  }

  #checkpoint(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closing) throw this.#closedError();
  }

  async #close(): Promise<void> {
    const { dir, owner, emit } = this.#place;
    await this.#compacting?.catch(() => undefined); // gives up at its next slice
    while (this.#draining) await this.#draining;
    try {
      // Without the mark the next open takes the segment for a crashed one, which costs a copy and nothing else.
      if (!this.#failure && this.#active.used)
        await this.#active.end('closed').catch((error) => this.#writeFailed(error));
      await this.#active.close();
    } finally {
      if (this.#failure)
        await owner.release().catch(() => undefined); // why is in `failure`
      else await owner.release();
      emit({ type: 'journal.closed', dir });
    }
  }

  #closedError(): JournalError {
    return new JournalError('JOURNAL_CLOSED', `the journal in ${this.#place.dir} is closed`, { dir: this.#place.dir });
  }

  #writeFailed(cause: unknown): JournalError {
    const { dir, emit } = this.#place;
    emit({ type: 'journal.write-failed', reason: reasonOf(cause) });
    return new JournalError(
      'JOURNAL_WRITE_FAILED',
      `${dir}: write failed (${reasonOf(cause)}), nothing of it is stored; append again when there is space`,
      { cause, dir },
    );
  }

  /** Fail-stop: everything that waits, and everything later, rejects. */
  #fail(cause: unknown): JournalError {
    if (this.#failure) return this.#failure;
    const { dir, emit } = this.#place;
    const reason =
      cause instanceof Error && cause.cause ? `${cause.message}: ${reasonOf(cause.cause)}` : reasonOf(cause);
    const message = `the journal in ${dir} stopped (${reason}); what was appended last may or may not be stored: open it again`;
    this.#failure = new JournalError('JOURNAL_FAILED', message, { cause, dir });
    for (const waiting of this.#queue.splice(0)) waiting.reject(this.#failure);
    this.#abort.abort(this.#failure);
    emit({ type: 'journal.failed', reason });
    return this.#failure;
  }
}
