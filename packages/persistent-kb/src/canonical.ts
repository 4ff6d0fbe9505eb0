import type { Entry } from './entry.js';
import { KbError } from './errors.js';
import { DEFAULTS } from './options.js';

/** U+D800–DFFF without their partner: no store keeps them. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The entry as it will be stored: a copy that shares nothing with what the caller holds. Properties that are `undefined`
 * are left out, as JSON does; everything else is deep-equal to what was given, now and after a restart.
 *
 * @throws KbError `KB_INVALID_ENTRY` with the `path` of the first value that would not survive; `KB_TOO_LARGE`.
 */
export function canonical<T extends Entry>(given: T, maxEntryBytes: number): T {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('', 'an entry must be an object');
  const walk: Walk = { upperBytes: 0 };
  const entry = copyObject(given as unknown as Record<string, unknown>, [], walk, 0) as unknown as T;
  checkId(entry.id);
  if (typeof entry.title !== 'string') throw invalid('title', 'must be a string');
  if (entry.body !== undefined && typeof entry.body !== 'string') throw invalid('body', 'must be a string');
  if (entry.category !== undefined && typeof entry.category !== 'string') throw invalid('category', 'must be a string');
  if (entry.tags !== undefined) {
    if (!Array.isArray(entry.tags)) throw invalid('tags', 'must be an array of strings');
    entry.tags.forEach((tag: unknown, at) => {
      if (typeof tag !== 'string' || tag === '') throw invalid(`tags[${at}]`, 'must be a string that is not empty');
    });
  }
  if (walk.upperBytes > maxEntryBytes) {
    const bytes = jsonBytes(entry);
    if (bytes > maxEntryBytes) throw tooLarge(entry.id, bytes, maxEntryBytes);
  }
  return entry;
}

/** The error for an entry above a size limit. */
export function tooLarge(id: string, bytes: number, maxBytes: number): KbError {
  return new KbError(
    'KB_TOO_LARGE',
    `the entry '${short(id)}' has ${bytes} bytes, the limit is ${maxBytes}: split it`,
    {
      id,
      bytes,
      maxBytes,
    },
  );
}

/** @throws KbError `KB_INVALID_ENTRY` when it is no id. */
export function checkId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || id === '') throw invalid('id', 'must be a string that is not empty');
  if (LONE_SURROGATE.test(id)) throw invalid('id', 'has half of a surrogate pair');
  if (id.length * 3 > DEFAULTS.maxIdBytes && Buffer.byteLength(id) > DEFAULTS.maxIdBytes) {
    throw invalid('id', `must have at most ${DEFAULTS.maxIdBytes} bytes as UTF-8`);
  }
}

/** Bytes of `value` as JSON, summed by parts: one string of it all may be longer than a string can be. */
function jsonBytes(value: unknown): number {
  if (typeof value === 'string')
    return value.length < 1 << 26 ? Buffer.byteLength(JSON.stringify(value)) : value.length;
  if (typeof value !== 'object' || value === null) return String(value).length;
  if (value instanceof Date) return 26;
  if (Array.isArray(value)) return value.reduce<number>((sum, part) => sum + jsonBytes(part) + 1, 1);
  let sum = 1;
  for (const [key, part] of Object.entries(value)) sum += jsonBytes(key) + jsonBytes(part) + 2;
  return sum;
}

interface Walk {
  /** At least as many bytes as the JSON has; counted exactly only when this is above the limit. */
  upperBytes: number;
}
type Path = (string | number)[];

function copy(value: unknown, path: Path, walk: Walk, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      checkText(value, path);
      walk.upperBytes += value.length * 6 + 3;
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw invalid(path, `${value} can't be stored`);
      walk.upperBytes += 26;
      return value;
    case 'boolean':
      walk.upperBytes += 6;
      return value;
    case 'object':
      if (value === null) {
        walk.upperBytes += 5;
        return null;
      }
      if (depth >= DEFAULTS.maxDepth)
        throw invalid(path, `is nested more than ${DEFAULTS.maxDepth} levels deep, or in itself`);
      if (Array.isArray(value)) return copyArray(value, path, walk, depth);
      if (value instanceof Date) {
        const time = value.getTime();
        if (Number.isNaN(time)) throw invalid(path, 'is an invalid date');
        walk.upperBytes += 30;
        return new Date(time);
      }
      return copyObject(value as Record<string, unknown>, path, walk, depth);
    default:
      throw invalid(path, `a ${typeof value} can't be stored`);
  }
}

function copyArray(value: readonly unknown[], path: Path, walk: Walk, depth: number): unknown[] {
  if (Object.keys(value).length !== value.length)
    throw invalid(path, 'is an array with holes or with named properties');
  return value.map((part, at) => {
    path.push(at);
    const copied = copy(part, path, walk, depth + 1);
    path.pop();
    return copied;
  });
}

function copyObject(value: Record<string, unknown>, path: Path, walk: Walk, depth: number): Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    const name = (prototype as { constructor?: { name?: string } }).constructor?.name ?? 'class';
    throw invalid(path, `a ${name} would come back as a plain object`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw invalid(path, 'has a key that is a symbol');
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const part = value[key];
    if (part === undefined) continue;
    path.push(key);
    checkText(key, path);
    if (key.includes('\0')) throw invalid(path, 'has a key with a NUL character');
    if (key === '_bsontype') throw invalid(path, 'is a key that MongoDB keeps for itself');
    walk.upperBytes += key.length * 6 + 4;
    const kept = copy(part, path, walk, depth + 1);
    path.pop();
    if (key === '__proto__') {
      Object.defineProperty(copied, key, { value: kept, enumerable: true, writable: true, configurable: true });
    } else copied[key] = kept;
  }
  // MongoDB reads this very shape back as a DBRef.
  if (typeof copied.$ref === 'string' && copied.$id !== undefined && copied.$id !== null) {
    throw invalid(path, 'with both $ref and $id would come back as a database reference');
  }
  return copied;
}

function checkText(text: string, path: Path): void {
  if (LONE_SURROGATE.test(text)) throw invalid(path, 'has half of a surrogate pair');
}

function invalid(at: Path | string, rule: string): KbError {
  const path = typeof at === 'string' ? at : pathOf(at);
  return new KbError('KB_INVALID_ENTRY', `${path === '' ? 'the entry' : short(path)} ${rule}`, { path });
}

/** `meta["a.b"].list[0]`: what one would write to reach the value. */
function pathOf(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

function short(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
