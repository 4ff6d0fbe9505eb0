import type { Workplace } from './context.js';
import type { Journal, JournalStats } from './contract.js';
import { recordsOf, takeCommit, toJson, type Waiting } from './encode.js';
import { JournalError, reasonOf } from './errors.js';
import { FailStop } from './fail-stop.js';
import { Log } from './log.js';
import type { ResolvedOptions } from './options.js';
import type { ReadFile } from './replay.js';
import type { ActiveSegment } from './segment.js';
import { writeSnapshot } from './snapshot.js';
import { compactionDue, compactionOverdue, type Growth } from './when-to-compact.js';

/** What opening hands over. */
export interface Opened {
  files: ReadFile[];
  active: ActiveSegment;
  tornBytes: number;
  quarantinedBytes: number;
}

/** The journal of an owned and recovered directory. See docs/decisions/0002-journal.md for its states. */
export class OpenJournal<R> implements Journal<R> {
  readonly #place: Workplace;
  readonly #options: ResolvedOptions<R>;
  readonly #failStop: FailStop;
  readonly #log: Log;
  #queue: Waiting[] = [];
  /** Work between two commits, when every durable record has been applied. */
  #between: (() => Promise<void>)[] = [];
  #draining: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #growth: Growth;
  #stats: { appends: number; compactions: number; tornBytes: number; quarantinedBytes: number };

  constructor(place: Workplace, options: ResolvedOptions<R>, opened: Opened) {
    const { files, active, tornBytes, quarantinedBytes } = opened;
    this.#place = place;
    this.#options = options;
    this.#failStop = new FailStop(place);
    this.#log = new Log(place, this.#failStop, options.segmentBytes, files, active);
    this.#growth = { snapshotBytes: files.find(({ name }) => name.endsWith('.snap'))?.bytes ?? 0, retryAtBytes: 0 };
    this.#stats = { appends: 0, compactions: 0, tornBytes, quarantinedBytes };
    this.signal.addEventListener('abort', () => {
      for (const waiting of this.#queue.splice(0)) waiting.reject(this.#failStop.failure);
    });
    const onLost = (): void => {
      this.#failStop.fail(
        new Error('the directory was taken over by another owner', { cause: place.owner.signal.reason }),
      );
    };
    if (place.owner.signal.aborted) onLost();
    else place.owner.signal.addEventListener('abort', onLost, { once: true, signal: this.signal });
    this.#compactIfDue();
  }

  get failure(): Error | undefined {
    return this.#failStop.failure;
  }

  get signal(): AbortSignal {
    return this.#failStop.signal;
  }

  append(record: R | readonly R[]): Promise<void> {
    const refused = this.#refusal();
    if (refused) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const json = toJson(record);
      const bytes = Buffer.byteLength(json);
      const limitBytes = this.#options.maxRecordBytes;
      const { dir } = this.#place;
      if (bytes > limitBytes) {
        const message = `a record of ${bytes} bytes is above maxRecordBytes ${limitBytes}`;
        throw new JournalError('JOURNAL_TOO_LARGE', message, { dir, bytes, limitBytes });
      }
      this.#queue.push({ json, bytes, resolve, reject });
      this.#drain();
    });
  }

  compact(): Promise<void> {
    const refused = this.#refusal();
    if (refused) return Promise.reject(refused);
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = undefined;
      this.#compactIfDue();
    });
    return this.#compacting;
  }

  stats(): JournalStats {
    return { ...this.#stats, ...this.#log.sizes() };
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
      if (this.#log.rotationDue) await this.#log.rotate();
      for (const work of this.#between.splice(0)) await work();
      if (this.#queue.length > 0 && !this.#failStop.failure) await this.#commit(takeCommit(this.#queue));
      await this.#place.nextTurn();
    }
  }

  async #commit(commit: Waiting[]): Promise<void> {
    const failed = await this.#log.commit(commit);
    for (const waiting of commit) {
      if (failed) waiting.reject(failed);
      else this.#settle(waiting);
    }
    if (!failed) this.#compactIfDue();
  }

  #settle(waiting: Waiting): void {
    if (this.#failStop.failure) {
      waiting.reject(this.#failStop.failure);
      return;
    }
    try {
      const records = recordsOf<R>(waiting.json);
      for (const record of records) this.#options.apply(record, 'live');
      this.#log.countRecords(records.length);
    } catch (cause) {
      // The state is no longer what the log says; the next open makes it anew.
      waiting.reject(this.#failStop.fail(new Error('apply threw', { cause })));
      return;
    }
    this.#stats.appends++;
    waiting.resolve();
  }

  async #compact(): Promise<void> {
    const { dir, clock, emit } = this.#place;
    const started = clock.monotonic();
    const bytesBefore = this.#log.sizes().bytes;
    try {
      const { segment, records } = await this.#beginSnapshot();
      const written = await writeSnapshot(this.#place, segment, records, () => this.#checkpoint());
      await this.#log.replaceBelow(segment, written);
      this.#stats.compactions++;
      this.#growth = { snapshotBytes: written.bytes, retryAtBytes: 0 };
      const bytesAfter = this.#log.sizes().bytes;
      emit({ type: 'journal.compacted', bytesBefore, bytesAfter, ms: clock.monotonic() - started });
    } catch (error) {
      this.#growth.retryAtBytes = this.#log.sizes().bytes + this.#options.segmentBytes;
      if (!this.#closing) emit({ type: 'journal.compaction-failed', reason: reasonOf(error) });
      if (this.#failStop.failure) throw this.#failStop.failure;
      if (error instanceof JournalError) throw error;
      const message = `compaction of ${dir} failed: ${reasonOf(error)}`;
      throw new JournalError('JOURNAL_WRITE_FAILED', message, { cause: error, dir });
    }
  }

  /** Rotates and takes the snapshot's iterator at the one moment when the state is exactly the segments below the new one. */
  #beginSnapshot(): Promise<{ segment: number; records: Iterator<R> }> {
    return new Promise((resolve, reject) => {
      this.#between.push(async () => {
        try {
          this.#checkpoint();
          await this.#log.rotate();
          this.#checkpoint();
          if (this.#log.used) throw Object.assign(new Error('no space for a new segment'), { code: 'ENOSPC' });
          resolve({ segment: this.#log.segment, records: this.#options.snapshot()[Symbol.iterator]() });
        } catch (error) {
          reject(error);
        }
      });
      this.#drain();
    });
  }

  #compactIfDue(): void {
    if (this.#compacting || this.#closing || this.#failStop.failure) return;
    if (compactionDue(this.#growth, this.#log.sizes(), this.#options.segmentBytes))
      this.compact().catch(() => undefined); // told by its event
  }

  /** Throws when a compaction has to give up. */
  #checkpoint(): void {
    const refused = this.#refusal();
    if (refused && (this.#failStop.failure || !compactionOverdue(this.#log.sizes().segments))) throw refused;
  }

  async #close(): Promise<void> {
    const { dir, owner, emit } = this.#place;
    await this.#compacting?.catch(() => undefined); // gives up at its next slice, unless it is overdue
    while (this.#draining) await this.#draining;
    try {
      await this.#log.close();
    } finally {
      if (this.#failStop.failure)
        await owner.release().catch(() => undefined); // why is in `failure`
      else await owner.release();
      emit({ type: 'journal.closed', dir });
    }
  }

  /** Why nothing new is taken, if it isn't. */
  #refusal(): JournalError | undefined {
    if (!this.#closing) return this.#failStop.failure;
    const { dir } = this.#place;
    return new JournalError('JOURNAL_CLOSED', `the journal in ${dir} is closed`, { dir });
  }
}
