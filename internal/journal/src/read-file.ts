import type { Clock } from '@holdfast/clock';
import type { JournalFile, JournalFileSystem } from './file-system.js';
import { type Finding, SegmentScanner, type Verdict } from './scan.js';

/** One read, bytes. Large enough to stream at disk speed, small enough to parse in a few milliseconds. */
const CHUNK_BYTES = 256 * 1024;

/** The first read: many a file is small, and of others only the beginning is looked at. */
const FIRST_CHUNK_BYTES = 4 * 1024;

/** Longest time that one slice of work keeps the event loop, milliseconds. A tenth of what the journal promises. */
const SLICE_MS = 10;

/** Lets other work run, at most every {@link SLICE_MS}. */
export class Slicer {
  readonly #clock: Clock;
  readonly #nextTurn: () => Promise<void>;
  #since: number;

  constructor(clock: Clock, nextTurn: () => Promise<void>) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
    this.#since = clock.monotonic();
  }

  get due(): boolean {
    return this.#clock.monotonic() - this.#since >= SLICE_MS;
  }

  async yield(): Promise<void> {
    await this.#nextTurn();
    this.#since = this.#clock.monotonic();
  }
}

/** Yields the bytes of `[from, to)` of an open file in order; ends early where the file ends. */
export async function* readRange(file: JournalFile, from: number, to: number): AsyncGenerator<Buffer> {
  let size = FIRST_CHUNK_BYTES;
  for (let at = from; at < to; size = Math.min(size * 2, CHUNK_BYTES)) {
    const chunk = Buffer.allocUnsafe(Math.min(size, to - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Scans a file, giving each finding in order. `onFinding` returns false to stop there. */
export async function scanFile(
  fs: JournalFileSystem,
  path: string,
  name: string,
  options: { whole: boolean; onFinding(finding: Finding): boolean | Promise<boolean>; onBytes?(bytes: number): void },
): Promise<Verdict | undefined> {
  const scanner = new SegmentScanner(name);
  const file = await fs.open(path, 'r');
  try {
    for await (const chunk of readRange(file, 0, Number.MAX_SAFE_INTEGER)) {
      for (const finding of scanner.push(chunk)) {
        const more = options.onFinding(finding);
        if (!(typeof more === 'boolean' ? more : await more)) return undefined;
      }
      options.onBytes?.(chunk.length);
    }
    const verdict = scanner.finish(options.whole);
    for (const finding of verdict.findings) if (!(await options.onFinding(finding))) return undefined;
    return verdict;
  } finally {
    await file.close();
  }
}
