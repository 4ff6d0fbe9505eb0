import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Bodies, Body, Shelf } from './bodies.js';

/** Small enough that bounds are kept to within a few MB, large enough that there are few files. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Whole records of ended alerts in append-only files, one line each with a CRC, found through an index in memory. Files
 * that hold nothing live are removed. What the journal does not know is ignored, so a crash leaves no half truth.
 */
export async function fileBodies(dir: string): Promise<Bodies> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const shelves = { past: await openShelf(dir, 'past'), dead: await openShelf(dir, 'dead') };
  return {
    put: (shelf, id, body, { sync }) => shelves[shelf].put(id, body, sync),
    get: (shelf, id) => shelves[shelf].get(id),
    drop: (shelf, id) => shelves[shelf].drop(id),
    async close() {
      await shelves.past.close();
      await shelves.dead.close();
    },
  };
}

class ShelfFiles {
  #dir: string;
  #shelf: Shelf;
  #index = new Map<string, Place>();
  #live = new Map<number, number>();
  #segment: number;
  #handle: FileHandle | undefined;
  #size = 0;
  /** Something was written since the last fdatasync. */
  #dirty = false;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting: { id: string; line: Buffer; place?: Place }[] = [];

  constructor(dir: string, shelf: Shelf, segment: number) {
    this.#dir = dir;
    this.#shelf = shelf;
    this.#segment = segment;
  }

  found(id: string, place: Place): void {
    this.drop(id);
    this.#index.set(id, place);
    this.#live.set(place.segment, (this.#live.get(place.segment) ?? 0) + 1);
  }

  async put(id: string, body: Body, sync: boolean): Promise<void> {
    const json = Buffer.from(JSON.stringify(body));
    const line = Buffer.concat([
      Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} `),
      json,
      Buffer.from([NEWLINE]),
    ]);
    this.#waiting.push({ id, line });
    // Whoever comes while one batch is written shares the next write and the next fdatasync.
    const batch = this.#tail.catch(() => undefined).then(() => this.#writeAll(sync));
    this.#tail = batch.catch(() => undefined);
    await batch;
  }

  async get(id: string): Promise<Body | undefined> {
    await this.#tail;
    const place = this.#index.get(id);
    if (!place) return undefined;
    let handle: FileHandle | undefined;
    try {
      handle = await open(this.#path(place.segment), 'r');
      const line = Buffer.alloc(place.length);
      await handle.read(line, 0, place.length, place.offset);
      return bodyOf(line);
    } catch {
      return undefined;
    } finally {
      await handle?.close();
    }
  }

  drop(id: string): void {
    const place = this.#index.get(id);
    if (!place) return;
    this.#index.delete(id);
    const left = (this.#live.get(place.segment) ?? 1) - 1;
    this.#live.set(place.segment, left);
    if (left <= 0 && place.segment !== this.#segment) this.#remove(place.segment);
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #remove(segment: number): void {
    this.#live.delete(segment);
    this.#tail = this.#tail.then(() => rm(this.#path(segment), { force: true })).catch(() => undefined);
  }

  async #writeAll(sync: boolean): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length > 0) {
      if (this.#size >= SEGMENT_BYTES) await this.#rotate();
      const created = this.#handle === undefined;
      this.#handle ??= await open(this.#path(this.#segment), 'w', 0o600);
      let offset = this.#size;
      const places = batch.map(({ line }) => {
        const place = { segment: this.#segment, offset, length: line.length };
        offset += line.length;
        return place;
      });
      await this.#handle.write(Buffer.concat(batch.map(({ line }) => line)), 0, offset - this.#size, this.#size);
      this.#size = offset;
      this.#dirty = true;
      for (const [index, { id }] of batch.entries()) this.found(id, places[index]!);
      if (created) await syncDirectory(this.#dir);
    }
    if (!sync || !this.#dirty) return;
    await this.#handle?.datasync();
    this.#dirty = false;
  }

  async #rotate(): Promise<void> {
    const full = this.#segment;
    // Waiters that asked for no sync may share the file with some that did; the file is complete before it is left.
    await this.#handle?.datasync();
    await this.#handle?.close();
    this.#handle = undefined;
    this.#segment++;
    this.#size = 0;
    if ((this.#live.get(full) ?? 0) <= 0) this.#remove(full);
  }

  #path(segment: number): string {
    return join(this.#dir, fileName(this.#shelf, segment));
  }
}

function fileName(shelf: Shelf, segment: number): string {
  return `${shelf}-${String(segment).padStart(8, '0')}.jsonl`;
}

async function openShelf(dir: string, shelf: Shelf): Promise<ShelfFiles> {
  const segments = (await readdir(dir))
    .flatMap((name) => {
      const match = /^(past|dead)-(\d{8})\.jsonl$/.exec(name);
      return match?.[1] === shelf ? [Number(match[2])] : [];
    })
    .sort((a, b) => a - b);
  const files = new ShelfFiles(dir, shelf, (segments.at(-1) ?? 0) + 1);
  for (const segment of segments) await scan(join(dir, fileName(shelf, segment)), segment, files);
  return files;
}

/** Finds the good lines of a file, in a stream. A torn or damaged line is left out: its id is then not found. */
async function scan(path: string, segment: number, files: ShelfFiles): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE, start)) {
      const line = rest.subarray(start, end + 1);
      const body = bodyOf(line);
      if (body) files.found(body.id, { segment, offset, length: line.length });
      offset += line.length;
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
}

function bodyOf(line: Buffer): Body | undefined {
  if (line.length < 11 || line[line.length - 1] !== NEWLINE) return undefined;
  const json = line.subarray(9, -1);
  if (crc32(json) !== Number.parseInt(line.toString('latin1', 0, 8), 16)) return undefined;
  return JSON.parse(json.toString()) as Body;
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } catch {
    // A file system without directory fsync: the journal reports that once for the folder.
  } finally {
    await handle.close();
  }
}
