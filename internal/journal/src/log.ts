import { join } from 'node:path';
import { syncNames, type Workplace } from './context.js';
import { encodeCommit, type Waiting } from './encode.js';
import type { JournalError } from './errors.js';
import type { FailStop } from './fail-stop.js';
import { codeOf } from './file-system.js';
import { logName } from './layout.js';
import type { ReadFile } from './replay.js';
import { ActiveSegment, Untrusted } from './segment.js';

/** What a full disk or an exhausted table says when a file is created: it passes, the present segment goes on growing. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** The files of an open journal: finished ones and the segment that grows. One call at a time, but for {@link replaceBelow}. */
export class Log {
  readonly #place: Workplace;
  readonly #failStop: FailStop;
  readonly #segmentBytes: number;
  /** Finished files that make up the state together with the active segment. */
  #files: ReadFile[];
  #active: ActiveSegment;
  #activeRecords = 0;
  /** Segment size at which to rotate; moves on when a rotation fails for want of space. */
  #rotateAt: number;
  #syncs = 0;

  constructor(place: Workplace, failStop: FailStop, segmentBytes: number, files: ReadFile[], active: ActiveSegment) {
    this.#place = place;
    this.#failStop = failStop;
    this.#segmentBytes = segmentBytes;
    this.#files = files;
    this.#active = active;
    this.#rotateAt = segmentBytes;
  }

  get rotationDue(): boolean {
    return this.#active.size >= this.#rotateAt;
  }

  /** Whether the active segment has taken a commit. */
  get used(): boolean {
    return this.#active.used;
  }

  /** The number of the active segment. */
  get segment(): number {
    return this.#active.number;
  }

  sizes(): { bytes: number; segments: number; records: number; syncs: number } {
    let bytes = this.#active.size;
    let records = this.#activeRecords;
    let segments = 1;
    for (const file of this.#files) {
      bytes += file.bytes;
      records += file.records;
      if (file.name.endsWith('.log')) segments++;
    }
    return { bytes, segments, records, syncs: this.#syncs };
  }

  /**
   * Makes `commit` durable behind what is there, as one write and one fdatasync, and makes sure that this process still
   * owned the directory afterwards. Returns the error to tell the waiting appends, if any.
   */
  async commit(commit: readonly Waiting[]): Promise<JournalError | undefined> {
    const start = this.#active.size;
    try {
      await this.#active.commit(encodeCommit(commit, start, this.#active.seed));
      this.#syncs++;
      this.#place.protocol.confirmOwned(this.#place.owner);
      return this.#failStop.failure;
    } catch (error) {
      if (error instanceof Untrusted || this.#active.size > start || this.#failStop.failure)
        return this.#failStop.fail(error);
      return this.#cutBack(error);
    }
  }

  /** "Nothing of it is stored" holds only for the owner: a successor may have read what was written before it was cut. */
  #cutBack(error: unknown): JournalError {
    try {
      this.#place.protocol.confirmOwned(this.#place.owner);
      return this.#failStop.writeFailed(error);
    } catch (lost) {
      return this.#failStop.fail(lost);
    }
  }

  /** Records of the last commit that were applied. */
  countRecords(records: number): void {
    this.#activeRecords += records;
  }

  /** Begins a new segment. Without space for it the present one goes on. */
  async rotate(): Promise<void> {
    if (!this.#active.used || this.#failStop.failure) return;
    const before = this.#active;
    try {
      await before.end('rotated');
      const next = await ActiveSegment.create(this.#place, before.number + 1);
      this.#files.push({ name: before.name, bytes: before.size, records: this.#activeRecords });
      this.#active = next;
      this.#activeRecords = 0;
      this.#rotateAt = this.#segmentBytes;
      await before.close();
      this.#place.emit({ type: 'journal.rotated', segment: next.number });
    } catch (error) {
      if (error instanceof Untrusted || !PASSING.has(codeOf(error))) {
        this.#failStop.fail(error);
      } else {
        this.#rotateAt = this.#active.size + this.#segmentBytes / 4;
        this.#failStop.writeFailed(error);
      }
    }
  }

  /** Takes `snapshot` for everything below `segment`: makes its name durable, and only then removes what it replaces. */
  async replaceBelow(segment: number, snapshot: ReadFile): Promise<void> {
    const { fs, epochDir } = this.#place;
    try {
      await syncNames(this.#place);
    } catch (cause) {
      throw this.#failStop.fail(new Untrusted(`the names in ${epochDir} can't be made durable`, { cause }));
    }
    const first = logName(segment);
    const obsolete = this.#files.filter((file) => file.name < first && file.name !== snapshot.name);
    this.#files = [snapshot, ...this.#files.filter((file) => file.name >= first && file.name.endsWith('.log'))];
    for (const { name } of obsolete)
      await fs.unlink(join(epochDir, name)).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
  }

  /** Says that nothing follows, and closes the file. */
  async close(): Promise<void> {
    // Without the mark the next open takes the segment for a crashed one, which costs a copy and nothing else.
    if (!this.#failStop.failure && this.#active.used)
      await this.#active.end('closed').catch((error) => this.#failStop.writeFailed(error));
    await this.#active.close();
  }
}
