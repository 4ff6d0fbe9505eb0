import { hash as sha256 } from 'node:crypto';
import type { Key } from '../key.js';
import { CanonicalError, sortedJson } from '../sorted-json.js';
import type { Preset } from './options.js';

/** What is known of a request when its key is made. */
export interface RequestFacts {
  readonly method: string;
  readonly path: string;
  /** Every `Idempotency-Key` header, as it came. */
  readonly keyHeaders: readonly string[];
  readonly authorization: string | undefined;
  readonly scope: string;
  /** Parsed, or its bytes; `undefined` when there is none, {@link UNREAD} when nobody has read it. */
  readonly body: unknown;
  /** What the `key` function gave, or `undefined`. */
  readonly given: Key | undefined;
}

/** A request has a body, and no parser is mounted before: it can't be compared, nor looked at for a groupKey. */
export const UNREAD: unique symbol = Symbol('a body that nobody has read');

/** What to do with a request. */
export type Plan =
  | { readonly do: 'run-unprotected'; readonly why: 'safe-method' | 'no-key' }
  | {
      readonly do: 'execute';
      readonly key: Key;
      readonly fingerprint: string | undefined;
      /** The key as the client sent it, where it counts. */
      readonly header: string | undefined;
      readonly headerIgnored: boolean;
    }
  | { readonly do: 'refuse'; readonly status: 400; readonly title: string };

/** The longest key of the field's best known service: https://docs.stripe.com/api/idempotent_requests */
const MAX_HEADER_LENGTH = 255;

/** Decides about a request. `laneOf` is the lane key of an Alertmanager body. */
export function planRequest(facts: RequestFacts, preset: Preset, laneOf: (body: never) => Key): Plan {
  if (facts.method === 'GET' || facts.method === 'HEAD' || facts.method === 'OPTIONS')
    return { do: 'run-unprotected', why: 'safe-method' };
  if (preset === 'webhook') return planWebhook(facts, laneOf);
  try {
    return planApi(facts, preset);
  } catch (error) {
    if (!(error instanceof CanonicalError)) throw error;
    return { do: 'refuse', status: 400, title: `the body can't be compared: ${error.message}` };
  }
}

/** A sender that retries 5xx only is never told 4xx: without a usable key its request runs. */
function planWebhook(facts: RequestFacts, laneOf: (body: never) => Key): Plan {
  const { body, given, keyHeaders } = facts;
  if (hasGroupKey(body)) {
    const key = given ?? laneOrNone(body, laneOf);
    if (key === undefined) return { do: 'run-unprotected', why: 'no-key' };
    return { do: 'execute', key, fingerprint: undefined, header: undefined, headerIgnored: keyHeaders.length > 0 };
  }
  const header = keyHeaders.length === 1 ? parseKey(keyHeaders[0]!) : undefined;
  const key = header === undefined ? given : scoped(facts, header, digestOrNone(body));
  if (key === undefined) return { do: 'run-unprotected', why: 'no-key' };
  return { do: 'execute', key, fingerprint: undefined, header, headerIgnored: false };
}

function planApi(facts: RequestFacts, preset: 'ietf' | 'stripe'): Plan {
  const { keyHeaders, given } = facts;
  if (given !== undefined)
    return { do: 'execute', key: given, fingerprint: undefined, header: undefined, headerIgnored: false };
  if (keyHeaders.length === 0)
    return preset === 'ietf'
      ? { do: 'refuse', status: 400, title: 'Idempotency-Key is missing' }
      : { do: 'run-unprotected', why: 'no-key' };
  const header = keyHeaders.length === 1 ? parseKey(keyHeaders[0]!) : undefined;
  if (header === undefined)
    return {
      do: 'refuse',
      status: 400,
      title: `Idempotency-Key must be one value of 1 to ${MAX_HEADER_LENGTH} printable ASCII characters, quoted or not`,
    };
  const fingerprint = facts.body === UNREAD ? undefined : digest(facts.body);
  return { do: 'execute', key: scoped(facts, header), fingerprint, header, headerIgnored: false };
}

/** Whether a body is one of Alertmanager's. */
function hasGroupKey(body: unknown): boolean {
  return typeof body === 'object' && body !== null && typeof (body as { groupKey?: unknown }).groupKey === 'string';
}

/** A structured-field string (`"abc"`, with `\"` and `\\`) or a bare value; undefined for what is neither. */
export function parseKey(header: string): string | undefined {
  const text = header.trim();
  let value = text;
  if (text.startsWith('"')) {
    if (!/^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/.test(text)) return undefined;
    value = text.slice(1, -1).replace(/\\(["\\])/g, '$1');
  } else if (!/^[\x21\x23-\x2b\x2d-\x7e]*$/.test(text)) {
    return undefined;
  }
  return value.length > 0 && value.length <= MAX_HEADER_LENGTH ? value : undefined;
}

/** A key as a structured-field string. */
export function quoteKey(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`;
}

function scoped({ method, path, authorization, scope }: RequestFacts, ...more: string[]): Key {
  const from = authorization === undefined ? '' : hash(authorization);
  return ['http', method, path.length > 1_024 ? hash(path) : path, from, scope, ...more];
}

function laneOrNone(body: unknown, laneOf: (body: never) => Key): Key | undefined {
  try {
    return laneOf(body as never);
  } catch (error) {
    if (error instanceof CanonicalError) return undefined;
    throw error;
  }
}

/** A body that can't be compared still has a key: its sender is not told 4xx. */
function digestOrNone(body: unknown): string {
  try {
    return body === UNREAD ? 'unread' : digest(body);
  } catch (error) {
    if (error instanceof CanonicalError) return 'not comparable';
    throw error;
  }
}

function digest(body: unknown): string {
  if (body === undefined) return '';
  return hash(typeof body === 'string' || body instanceof Uint8Array ? body : sortedJson(body));
}

function hash(data: string | Uint8Array): string {
  return sha256('sha256', data, 'base64url');
}
