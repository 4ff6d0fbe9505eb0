/** Deeper bodies are refused: nobody means them, and the recursion must end before the stack does. */
const MAX_DEPTH = 500;

/** A value that has no canonical text. */
export class CanonicalError extends Error {}

/**
 * JSON whose text does not depend on the order of keys. As in JSON, `-0` is `0`, NaN and infinities are `null`, and what
 * JSON leaves out is left out; `1` and `"1"`, `[]` and `{}`, and a key `__proto__` count.
 *
 * @throws CanonicalError when nested deeper than 500 levels, or circular
 */
export function sortedJson(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (depth >= MAX_DEPTH) throw new CanonicalError(`it is nested deeper than ${MAX_DEPTH} levels`);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return sortedJson(toJSON.call(value, ''), depth + 1);
  if (Array.isArray(value)) return `[${value.map((each) => sortedJson(each, depth + 1)).join(',')}]`;
  const parts: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const inner = (value as Record<string, unknown>)[name];
    if (inner === undefined || typeof inner === 'function' || typeof inner === 'symbol') continue;
    parts.push(`${JSON.stringify(name)}:${sortedJson(inner, depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}
