import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { createEmitter } from '@holdfast/observe';
import { contendFor } from './acquire.js';
import { FileLockError, ioError, isFileLockError, systemCode } from './errors.js';
import type { AcquireOptions, AcquireSettings } from './options.js';
import { acquireSettings, checkPath, DEFAULTS } from './options.js';
import { syncDirectoryOf } from './replace.js';
import { resolveTarget } from './target.js';

export interface AppendOptions extends AcquireOptions {
  /**
   * False resolves before the records are safe from a power cut; a killed process loses nothing either way.
   * @defaultValue true
   */
  fsync?: boolean | undefined;
}

/** A line that is no JSON: a crash tore it, or somebody edited the file. */
export interface TornLine {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

export interface ReadJsonlOptions {
  /** Called with each damaged line, which is then passed over. Without it the first one rejects. */
  onTorn?: ((torn: TornLine) => void) | undefined;
}

const NEWLINE = 0x0a;

/**
 * Appends one record, or several (an array), each as a line of JSON, under the file's lock.
 *
 * Guaranteed: records of several processes never mix, whatever their size; a tail torn by a killed writer never swallows
 * the next record (it gets a line of its own); a full disk rejects and the file is cut back to where it was. Not
 * guaranteed: fencing. A writer stopped in the middle and replaced may add its rest when it wakes.
 *
 * @throws FILE_LOCK_INVALID_OPTION synchronously
 * @returns rejects as `acquire`, FILE_LOCK_LOST, FILE_LOCK_IO, or FILE_LOCK_INVALID_DATA for what JSON can't hold
 */
export function appendJsonl(path: string, records: unknown, options: AppendOptions = {}): Promise<void> {
  checkPath(path);
  return appendNow(
    path,
    Array.isArray(records) ? records : [records],
    acquireSettings(options),
    options.fsync ?? DEFAULTS.fsync,
  );
}

async function appendNow(path: string, records: unknown[], settings: AcquireSettings, fsync: boolean): Promise<void> {
  const lines = Buffer.from(records.map((record) => toLine(path, record)).join(''));
  if (lines.length === 0) return;
  settings.signal?.throwIfAborted();
  const target = resolveTarget(path);
  await using hold = await contendFor(target, settings);
  try {
    const handle = await open(target.file, 'a+');
    try {
      const { size } = await handle.stat();
      const torn = size > 0 && !(await endsWithNewline(handle, size));
      hold.assertHeld();
      await writeWhole(handle, torn ? Buffer.concat([Buffer.of(NEWLINE), lines]) : lines, size, fsync);
      if (fsync && size === 0) syncDirectoryOf(target, createEmitter('file-lock', settings.onEvent));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isFileLockError(error) ? error : ioError(target.file, 'append to', error);
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array, size: number, fsync: boolean): Promise<void> {
  try {
    await handle.appendFile(bytes);
    if (fsync) await handle.datasync();
  } catch (error) {
    await handle.truncate(size);
    throw error;
  }
}

async function endsWithNewline(handle: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === NEWLINE;
}

function toLine(path: string, record: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(record);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return `${text}\n`;
  throw new FileLockError('FILE_LOCK_INVALID_DATA', `a record for ${path} can't be written as JSON`, { path, cause });
}

/**
 * Yields the records of a JSON-lines file in order, without a lock, reading as it goes. A missing file has none. `T` is
 * what the caller believes to be in it; it is not checked.
 *
 * @returns throws FILE_LOCK_INVALID_DATA at a damaged line unless `onTorn` is given, FILE_LOCK_IO if it can't be read
 */
export async function* readJsonl<T = unknown>(
  path: string,
  options: ReadJsonlOptions = {},
): AsyncGenerator<T, void, undefined> {
  checkPath(path);
  let line = 0;
  for await (const text of linesOf(path)) {
    line += 1;
    if (text === '') continue;
    let record: T;
    try {
      record = JSON.parse(text) as T;
    } catch (error) {
      if (!options.onTorn) {
        const message = `line ${line} of ${path} is not JSON; pass onTorn to read past it`;
        throw new FileLockError('FILE_LOCK_INVALID_DATA', message, { path, cause: error });
      }
      options.onTorn({ line, text });
      continue;
    }
    yield record;
  }
}

/** Splits at newlines only: readline also splits at U+2028, which JSON keeps as it is. */
async function* linesOf(path: string): AsyncGenerator<string, void, undefined> {
  const { file } = resolveTarget(path);
  let rest: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        yield Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
        rest = [];
        start = end + 1;
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw ioError(file, 'read', error);
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString('utf8');
}
