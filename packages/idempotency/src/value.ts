import { IdempotencyError } from './errors.js';

/**
 * A value as every store keeps it. A string is kept as it is, because replaying one must cost about a map lookup; all else
 * begins with NUL and a tag: `s` a string that begins with NUL, `j` JSON, `u` undefined, `x` JSON with the places of what
 * JSON can't say (undefined, -0).
 */
export type EncodedValue = string;

const NUL = '\u0000';

type Place = readonly (string | number)[];
type Special = readonly [place: Place, what: 'u' | 'z'];

/** Deeper values are refused: MongoDB stops at about 180 levels, and nobody means them. */
const MAX_DEPTH = 100;

/**
 * Encodes what a run gave, so that decoding gives an equal, separate value.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_VALUE` with the `path` of what would come back as something else: a bigint,
 * function, symbol, NaN, Infinity, Date, Map, class instance, hole or cycle.
 */
export function encodeValue(value: unknown): EncodedValue {
  if (typeof value === 'string') {
    if (!isWellFormed(value)) return `${NUL}j${JSON.stringify(value)}`;
    return value.charCodeAt(0) === 0 ? `${NUL}s${value}` : value;
  }
  if (value === undefined) return `${NUL}u`;
  const specials: Special[] = [];
  inspect(value, [], specials);
  return specials.length === 0 ? `${NUL}j${JSON.stringify(value)}` : `${NUL}x${JSON.stringify([specials, value])}`;
}

/** The value that was encoded; a fresh copy each time. */
export function decodeValue(encoded: EncodedValue): unknown {
  if (encoded.charCodeAt(0) !== 0) return encoded;
  switch (encoded[1]) {
    case 's':
      return encoded.slice(2);
    case 'u':
      return undefined;
    case 'j':
      return JSON.parse(encoded.slice(2));
    case 'x':
      return restore(encoded);
    default:
      throw new IdempotencyError('IDEMPOTENCY_STORE_FAILED', 'the store holds a value that this version cannot read', {
        operation: 'decode',
      });
  }
}

/** Whether text has no half of a surrogate pair. In every Node that this package runs on, and not yet in the types. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function restore(encoded: EncodedValue): unknown {
  const [specials, value] = JSON.parse(encoded.slice(2)) as [Special[], unknown];
  const holder = { root: value };
  for (const [place, what] of specials) {
    let at: Record<string | number, unknown> = holder;
    let name: string | number = 'root';
    for (const next of place) {
      at = at[name] as Record<string | number, unknown>;
      name = next;
    }
    // defineProperty, because `at.__proto__ = …` would set the prototype.
    Object.defineProperty(at, name, {
      value: what === 'u' ? undefined : -0,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return holder.root;
}

function inspect(value: unknown, place: (string | number)[], specials: Special[]): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'undefined':
      specials.push([[...place], 'u']);
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(place, String(value));
      if (Object.is(value, -0)) specials.push([[...place], 'z']);
      return;
    case 'object':
      if (value !== null) inspectObject(value, place, specials);
      return;
    default:
      refuse(place, `a ${typeof value}`);
  }
}

function inspectObject(value: object, place: (string | number)[], specials: Special[]): void {
  if (place.length >= MAX_DEPTH) refuse(place, `something nested deeper than ${MAX_DEPTH} levels, or a cycle`);
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') refuse(place, kindOf(value));
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!(index in value)) refuse([...place, index], 'a hole');
      place.push(index);
      inspect(value[index], place, specials);
      place.pop();
    }
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && !isForeignPlain(prototype)) refuse(place, kindOf(value));
  for (const name of Object.keys(value)) {
    place.push(name);
    inspect((value as Record<string, unknown>)[name], place, specials);
    place.pop();
  }
}

/** `Object.prototype` of another realm, such as a test runner's. */
function isForeignPlain(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf');
}

function kindOf(value: object): string {
  return `a ${value.constructor?.name || 'class instance'}`;
}

function refuse(place: readonly (string | number)[], what: string): never {
  const path = place.reduce<string>(
    (text, part) => `${text}${typeof part === 'number' ? `[${part}]` : `.${part}`}`,
    '$',
  );
  throw new IdempotencyError(
    'IDEMPOTENCY_INVALID_VALUE',
    `the result is ${what} at ${path}, which could not be replayed as it is; return JSON values`,
    { path },
  );
}
