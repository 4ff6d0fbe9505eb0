import type { Entry } from './entry.js';

/** Where JSON would change a value: dates, which it makes strings, and minus zero, which it makes zero. */
type Mark = readonly ['date' | 'minus-zero', ...(string | number)[]];

/** An entry as JSON can hold it, with marks for what JSON can't say. */
export interface ExactEntry {
  entry: Entry;
  marks?: readonly Mark[] | undefined;
}

/** Makes an entry ready for `JSON.stringify`. What has no dates is passed on as it is. */
export function toExact(entry: Entry): ExactEntry {
  const marks: Mark[] = [];
  collect(entry, [], marks);
  if (marks.length === 0) return { entry };
  const safe = structuredClone(entry);
  for (const [kind, ...path] of marks) {
    change(safe, path, (value) => (kind === 'date' ? (value as Date).getTime() : 0));
  }
  return { entry: safe, marks };
}

/** Undoes {@link toExact}, in place, on what `JSON.parse` gave. */
export function fromExact({ entry, marks }: ExactEntry): Entry {
  for (const [kind, ...path] of marks ?? []) {
    change(entry, path, (value) => (kind === 'date' ? new Date(value as number) : -0));
  }
  return entry;
}

function collect(value: unknown, path: (string | number)[], marks: Mark[]): void {
  if (typeof value === 'number') {
    if (Object.is(value, -0)) marks.push(['minus-zero', ...path]);
  } else if (typeof value === 'object' && value !== null) {
    if (value instanceof Date) marks.push(['date', ...path]);
    else if (Array.isArray(value)) {
      for (let at = 0; at < value.length; at++) {
        const part: unknown = value[at];
        if (typeof part === 'string') continue;
        path.push(at);
        collect(part, path, marks);
        path.pop();
      }
    } else {
      for (const key of Object.keys(value)) {
        const part = (value as Record<string, unknown>)[key];
        if (typeof part === 'string') continue;
        path.push(key);
        collect(part, path, marks);
        path.pop();
      }
    }
  }
}

function change(root: unknown, path: readonly (string | number)[], to: (value: unknown) => unknown): void {
  let holder = root as Record<string | number, unknown>;
  for (const part of path.slice(0, -1)) holder = own(holder, part) as Record<string | number, unknown>;
  const last = path[path.length - 1]!;
  // Plain assignment to `__proto__` would set the prototype.
  const value = to(own(holder, last));
  Object.defineProperty(holder, last, { value, enumerable: true, writable: true, configurable: true });
}

function own(holder: object, key: string | number): unknown {
  return Object.getOwnPropertyDescriptor(holder, key)?.value;
}
