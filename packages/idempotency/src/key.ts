import { IdempotencyError, show } from './errors.js';
import { isWellFormed } from './value.js';

/** What names one piece of work: a string, a list of parts (never joined by a character that a part could hold), or a lane. */
export type Key = string | readonly (string | number)[] | LaneKey;

/**
 * A lane: a sequence of states of one thing, such as an alert group. A lane runs one state at a time; a call is skipped
 * when its state equals the lane's last delivered one within the window, so retries are absorbed while changes and
 * intended repeats run.
 */
export interface LaneKey {
  /** Which thing. */
  readonly lane: string | readonly (string | number)[];
  /** Its state, equal for two deliveries that say the same. */
  readonly state: string;
  /** How long after a state's first delivery another one of the same state is a copy, milliseconds. Never slides. */
  readonly windowMs: number;
  /** Absorbs states that the lane has left, coming from another sender within `ms` of the lane's last change. */
  readonly late?: { readonly ms: number; readonly sender: string } | undefined;
  /** The sender says that this is an intended repeat: it runs, unless the last delivery was such a repeat less than `ms` ago. */
  readonly repeat?: { readonly ms: number } | undefined;
  /** How long the sender retries one delivery, milliseconds. A copy absorbed later is told by the event `call.absorbed_late`. */
  readonly retryMs?: number | undefined;
}

/** The terms under which a lane absorbs a call. */
export type LaneTerms = Pick<LaneKey, 'windowMs' | 'late' | 'repeat' | 'retryMs'>;

/** A key as stores see it. */
export interface EncodedKey {
  readonly text: string;
  readonly lane: LaneTerms | undefined;
  readonly state: string;
}

/** MongoDB's `_id` has no limit of its own; this is for people who read keys, and against keys made of whole bodies. */
const MAX_KEY_LENGTH = 8_192;

const RESERVED = '\u0000';

/**
 * Encodes a key without collisions: parts are length-prefixed, numbers differ from their digits, lanes from plain keys.
 *
 * @throws IdempotencyError `IDEMPOTENCY_INVALID_KEY`
 */
export function encodeKey(key: Key): EncodedKey {
  if (typeof key === 'string') return { text: encodeText(key), lane: undefined, state: '' };
  if (Array.isArray(key)) return { text: checkLength(`${RESERVED}a${encodeParts(key)}`), lane: undefined, state: '' };
  if (typeof key === 'object' && key !== null && 'lane' in key) return encodeLane(key as LaneKey);
  return invalid('must be a string, an array of strings and numbers, or a lane', key);
}

/** The key in a form for events and messages. */
export function readableKey(text: string): string {
  return text.charCodeAt(0) === 0 ? text.slice(2) : text;
}

/** A key that is a string, as {@link encodeKey} does. */
export function encodeText(key: string): string {
  if (key === '') return invalid('must not be empty', key);
  checkText(key);
  return checkLength(key.charCodeAt(0) === 0 ? `${RESERVED}s${key}` : key);
}

function encodeParts(parts: readonly unknown[]): string {
  if (parts.length === 0) return invalid('must have at least one part', parts);
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += `${part.length}:${checkText(part)}`;
    else if (typeof part === 'number' && Number.isFinite(part)) text += `#${part};`;
    else return invalid('may only have parts that are strings or finite numbers', part);
  }
  return text;
}

function encodeLane(key: LaneKey): EncodedKey {
  const { lane, state, windowMs, late, repeat, retryMs } = key;
  if (typeof state !== 'string') return invalid('must have a state that is a string', state);
  checkText(state);
  checkLength(state);
  const parts = typeof lane === 'string' ? [lane] : lane;
  if (!Array.isArray(parts)) return invalid('must have a lane that is a string or an array', lane);
  checkMs('windowMs', windowMs);
  if (late !== undefined) {
    checkMs('late.ms', late.ms);
    if (typeof late.sender !== 'string') return invalid('must have a late.sender that is a string', late.sender);
    checkText(late.sender);
  }
  if (repeat !== undefined) checkMs('repeat.ms', repeat.ms);
  if (retryMs !== undefined) checkMs('retryMs', retryMs);
  return { text: checkLength(`${RESERVED}l${encodeParts(parts)}`), lane: { windowMs, late, repeat, retryMs }, state };
}

function checkMs(name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value))
    invalid(`must have a ${name} that is a number of milliseconds >= 0`, value);
}

function checkText(text: string): string {
  // Lone surrogates all become the same U+FFFD in UTF-8: two keys would be one.
  if (!isWellFormed(text)) invalid('must not hold half of a surrogate pair', text);
  return text;
}

function checkLength(text: string): string {
  if (text.length > MAX_KEY_LENGTH) invalid(`must not be longer than ${MAX_KEY_LENGTH} characters; hash it`, text);
  return text;
}

function invalid(rule: string, received: unknown): never {
  throw new IdempotencyError('IDEMPOTENCY_INVALID_KEY', `an idempotency key ${rule}, received ${show(received)}`);
}
