import { createWhole, syncNames, type Workplace } from './context.js';
import { type JournalFile, writeFully } from './file-system.js';
import { seedOf } from './frame.js';
import { endLine } from './header.js';
import { logName } from './layout.js';

/** Thrown when a file can't be trusted any more: the journal becomes fail-stop. */
export class Untrusted extends Error {
  override readonly name = 'Untrusted';
}

/** The segment that grows. One commit at a time. */
export class ActiveSegment {
  readonly number: number;
  readonly name: string;
  readonly seed: number;
  readonly #place: Workplace;
  readonly #file: JournalFile;
  /** Bytes that are durable. */
  size: number;
  /** Whether it has taken a commit. */
  used = false;

  /** Creates segment `number`, whole and with a durable name. */
  static async create(place: Workplace, number: number): Promise<ActiveSegment> {
    const { file, size } = await createWhole(place, logName(number), (_file, at) => Promise.resolve(at));
    try {
      await syncNames(place);
    } catch (error) {
      await file.close();
      throw new Untrusted(`the names in ${place.epochDir} can't be made durable`, { cause: error });
    }
    return new ActiveSegment(place, number, file, size);
  }

  private constructor(place: Workplace, number: number, file: JournalFile, size: number) {
    this.#place = place;
    this.#file = file;
    this.number = number;
    this.name = logName(number);
    this.seed = seedOf(this.name);
    this.size = size;
  }

  /**
   * Makes `bytes` durable behind what is there. A failed write is cut back and rejects with its own error, the segment stays
   * good. A failed fsync, or a cut that fails, rejects with {@link Untrusted}: what the disk has is unknown, and asking
   * again would succeed without having written anything (https://lwn.net/Articles/752063/).
   */
  async commit(bytes: Uint8Array): Promise<void> {
    try {
      await writeFully(this.#file, bytes, this.size);
    } catch (error) {
      try {
        await this.#file.truncate(this.size);
        await this.#place.protocol.makeDurable(this.#file);
      } catch (cause) {
        throw new Untrusted(`${this.name} can't be cut back after a failed write`, { cause });
      }
      throw error;
    }
    try {
      await this.#place.protocol.makeDurable(this.#file);
    } catch (cause) {
      throw new Untrusted(`fdatasync of ${this.name} failed`, { cause });
    }
    this.size += bytes.length;
    this.used = true;
  }

  /** Says that nothing follows. */
  async end(ending: 'closed' | 'rotated'): Promise<void> {
    await this.commit(Buffer.from(endLine(this.name, this.size, ending)));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
