import { encodeLine } from './frame.js';

/** An append that waits for its commit. */
export interface Waiting {
  /** The record, or the array of them, as JSON. */
  json: string;
  bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** Most bytes in one commit, unless one append alone is larger. */
const COMMIT_BYTES = 2 * 2 ** 20;

/** JSON of a record or an array of records. Throws a TypeError for what JSON can't hold. */
export function toJson(record: unknown): string {
  const json = JSON.stringify(record) as string | undefined;
  if (json === undefined) throw new TypeError(`a record must be JSON, got ${typeof record}`);
  return json;
}

/** Takes the appends of the next commit off the queue, in order: all that fit. */
export function takeCommit(queue: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && (count === 0 || bytes + queue[count]!.bytes <= COMMIT_BYTES)) {
    bytes += queue[count]!.bytes;
    count++;
  }
  return queue.splice(0, count);
}

/** The bytes of a commit that begins at `start`. Each append is one line: all of it or none of it. */
export function encodeCommit(commit: readonly Waiting[], start: number, seed: number): Buffer {
  let text = '';
  for (const { json } of commit) text += encodeLine('records', start, json, seed);
  return Buffer.from(text);
}

/** The records in a line's JSON. */
export function recordsOf<R>(json: string): R[] {
  const value = JSON.parse(json) as R | R[];
  return Array.isArray(value) ? (value as R[]) : [value];
}
