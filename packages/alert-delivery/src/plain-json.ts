import { wellFormed } from './text.js';

/** Deeper than this no alert is read by a person, and MongoDB refuses 200. */
const MAX_DEPTH = 64;

/**
 * A copy of `value` that JSON can say. Cycles, bigint, functions, what is too deep, and properties whose getter throws
 * become a word in brackets, so that bad `data` never breaks a delivery. `undefined` where nothing can be said.
 */
export function plainJson(value: unknown): unknown {
  return copy(value, [], 0);
}

function copy(value: unknown, path: object[], depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return wellFormed(value);
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : `[${String(value)}]`;
    case 'bigint':
      return `${value}n`;
    case 'undefined':
      return undefined;
    case 'function':
      return '[function]';
    case 'symbol':
      return '[symbol]';
    default:
  }
  if (value === null) return null;
  const object = value as object;
  if (path.includes(object)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[too deep]';
  path.push(object);
  try {
    return copyObject(object, path, depth);
  } catch (error) {
    return `[unreadable: ${errorWord(error)}]`;
  } finally {
    path.pop();
  }
}

function copyObject(object: object, path: object[], depth: number): unknown {
  if (Array.isArray(object)) return Array.from(object, (item) => copy(item, path, depth + 1) ?? null);
  const toJson = (object as { toJSON?: unknown }).toJSON;
  if (typeof toJson === 'function') {
    const said: unknown = toJson.call(object, '');
    return said === object ? '[circular]' : copy(said, path, depth + 1);
  }
  if (object instanceof Error) return { name: object.name, message: object.message };
  if (object instanceof Map) return copy([...object], path, depth + 1);
  if (object instanceof Set) return copy([...object], path, depth + 1);
  const plain: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    let item: unknown;
    try {
      item = copy((object as Record<string, unknown>)[key], path, depth + 1);
    } catch (error) {
      item = `[unreadable: ${errorWord(error)}]`;
    }
    if (item !== undefined) plain.push([key, item]);
  }
  return Object.fromEntries(plain);
}

function errorWord(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, 80);
  } catch {
    return 'an error that throws';
  }
}
