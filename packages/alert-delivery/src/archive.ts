import { join } from 'node:path';
import { type ArchiveFile, type ArchiveFileSystem, nodeFiles, syncNames, writeAll } from './archive-files.js';
import { bodyOf, eachLine, lineOf } from './archive-line.js';
import type { Bodies, Body, Shelf } from './bodies.js';

/** Small enough that bounds are kept to within a few MB, large enough that there are few files. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

interface Waiting {
  readonly id: string;
  readonly line: string;
  readonly sync: boolean;
  /** Forgotten before it was written. */
  dropped: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Whole records of ended alerts in append-only files, one line each with a CRC, found through an index in memory. Files
 * that hold nothing live are removed. What the journal does not know is ignored, so a crash leaves no half truth.
 */
export async function fileBodies(dir: string, files: ArchiveFileSystem = nodeFiles): Promise<Bodies> {
  if ((await files.mkdir(dir, { recursive: true, mode: 0o700 })) !== undefined) await syncNames(files, join(dir, '..'));
  const shelves = { past: await openShelf(files, dir, 'past'), dead: await openShelf(files, dir, 'dead') };
  return {
    put: (shelf, id, body, { sync }) => shelves[shelf].put(id, body, sync),
    get: (shelf, id) => shelves[shelf].get(id),
    drop: (shelf, id) => shelves[shelf].drop(id),
    retain(shelf, known) {
      shelves[shelf].retain(known);
    },
    async close() {
      await shelves.past.close();
      await shelves.dead.close();
    },
  };
}

class ShelfFiles {
  readonly #files: ArchiveFileSystem;
  readonly #dir: string;
  readonly #shelf: Shelf;
  readonly #index = new Map<string, Place>();
  readonly #live = new Map<number, number>();
  #segment: number;
  #handle: ArchiveFile | undefined;
  #size = 0;
  /** The file's name is not durable yet. */
  #unnamed = false;
  #waiting: Waiting[] = [];
  /** What is not yet in the index, by id. */
  readonly #inFlight = new Map<string, Waiting>();
  #writing: Promise<void> | undefined;

  constructor(files: ArchiveFileSystem, dir: string, shelf: Shelf, segment: number) {
    this.#files = files;
    this.#dir = dir;
    this.#shelf = shelf;
    this.#segment = segment;
  }

  /** A file is there, whatever is in it. */
  seen(segment: number): void {
    this.#live.set(segment, 0);
  }

  found(id: string, place: Place): void {
    // Counted before the one that it replaces is let go: both may be in one file.
    this.#live.set(place.segment, (this.#live.get(place.segment) ?? 0) + 1);
    this.#forget(id);
    this.#index.set(id, place);
  }

  put(id: string, body: Body, sync: boolean): Promise<void> {
    const line = lineOf(body);
    const written = new Promise<void>((resolve, reject) => {
      const waiting = { id, line, sync, dropped: false, resolve, reject };
      this.#waiting.push(waiting);
      this.#inFlight.set(id, waiting);
    });
    this.#writing ??= this.#drain();
    return written;
  }

  /** Rejects when the file can't be read: only what is not there, or damaged, is `undefined`. */
  async get(id: string): Promise<Body | undefined> {
    while (this.#writing) await this.#writing;
    const place = this.#index.get(id);
    if (!place) return undefined;
    const handle = await this.#files.open(this.#path(place.segment), 'r').catch((error: unknown) => {
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
      throw error;
    });
    if (!handle) return undefined;
    try {
      const line = Buffer.alloc(place.length);
      await handle.read(line, 0, place.length, place.offset);
      return bodyOf(line);
    } finally {
      await handle.close();
    }
  }

  drop(id: string): void {
    const waiting = this.#inFlight.get(id);
    if (waiting) waiting.dropped = true;
    this.#forget(id);
  }

  #forget(id: string): void {
    const place = this.#index.get(id);
    if (!place) return;
    this.#index.delete(id);
    const left = (this.#live.get(place.segment) ?? 1) - 1;
    this.#live.set(place.segment, left);
    if (left <= 0 && place.segment !== this.#segment) this.#remove(place.segment);
  }

  /** Drops what is not known any more, and the files that hold nothing else. */
  retain(known: (id: string) => boolean): void {
    for (const id of [...this.#index.keys()]) if (!known(id)) this.drop(id);
    for (const [segment, live] of [...this.#live]) if (live <= 0 && segment !== this.#segment) this.#remove(segment);
  }

  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /** A file that has no live line. Failing to remove it costs space and nothing else; the next opening tries again. */
  #remove(segment: number): void {
    this.#live.delete(segment);
    this.#files.unlink(this.#path(segment)).catch(() => undefined);
  }

  /** Whoever comes while one batch is written shares the next write and the next fdatasync. */
  async #drain(): Promise<void> {
    // Whoever comes in this turn is of the first batch; and `#writing` is set before it can be cleared.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const all = this.#waiting;
      this.#waiting = [];
      const batch = all.filter(({ dropped }) => !dropped);
      try {
        if (batch.length > 0) await this.#write(batch);
        for (const { resolve } of all) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
        // Nobody knows what of the file is durable: it is left as it is, and the next line goes to a new one.
        await this.#leave().catch(() => undefined);
      } finally {
        for (const waiting of all) if (this.#inFlight.get(waiting.id) === waiting) this.#inFlight.delete(waiting.id);
      }
    }
    // In the same turn as the last look at who waits: a put that comes after this starts anew.
    this.#writing = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    if (this.#size >= SEGMENT_BYTES) {
      await this.#handle?.datasync();
      await this.#leave();
    }
    const created = this.#handle === undefined;
    this.#handle ??= await this.#files.open(this.#path(this.#segment), 'w', 0o600);
    const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
    const begin = this.#size;
    await writeAll(this.#handle, bytes, begin);
    // Waiters that asked for no sync share the file with some that did: nothing of those is claimed before it is durable.
    if (batch.some(({ sync }) => sync)) {
      await this.#handle.datasync();
      if (created || this.#unnamed) await syncNames(this.#files, this.#dir);
      this.#unnamed = false;
    } else this.#unnamed ||= created;
    this.#size = begin + bytes.length;
    let offset = begin;
    for (const { id, line, dropped } of batch) {
      const length = Buffer.byteLength(line);
      if (!dropped) this.found(id, { segment: this.#segment, offset, length });
      offset += length;
    }
  }

  async #leave(): Promise<void> {
    const left = this.#segment;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#segment++;
    this.#size = 0;
    this.#unnamed = false;
    if ((this.#live.get(left) ?? 0) <= 0) this.#remove(left);
    await handle?.close();
  }

  #path(segment: number): string {
    return join(this.#dir, fileName(this.#shelf, segment));
  }
}

function fileName(shelf: Shelf, segment: number): string {
  return `${shelf}-${String(segment).padStart(8, '0')}.jsonl`;
}

async function openShelf(files: ArchiveFileSystem, dir: string, shelf: Shelf): Promise<ShelfFiles> {
  const segments = (await files.readdir(dir))
    .flatMap((name) => {
      const match = /^(past|dead)-(\d{8})\.jsonl$/.exec(name);
      return match?.[1] === shelf ? [Number(match[2])] : [];
    })
    .sort((a, b) => a - b);
  const shelfFiles = new ShelfFiles(files, dir, shelf, (segments.at(-1) ?? 0) + 1);
  for (const segment of segments) {
    shelfFiles.seen(segment);
    await eachLine(files, join(dir, fileName(shelf, segment)), (line, offset) => {
      const body = bodyOf(line);
      // A torn or damaged line is left out: its id is then not found.
      if (body) shelfFiles.found(body.id, { segment, offset, length: line.length });
    });
  }
  return shelfFiles;
}
