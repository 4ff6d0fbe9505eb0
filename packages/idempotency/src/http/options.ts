import { refuseOption } from '../errors.js';
import type { IdempotencyEvent } from '../events.js';
import type { Key } from '../key.js';
import { count } from '../options.js';

/** What the sender does with an answer decides what it must be told. */
export type Preset = 'ietf' | 'stripe' | 'webhook';

/** Options of the HTTP middleware; `R` is the framework's request. */
export interface HttpOptions<R> {
  /**
   * `ietf`: the key is required; 400 without it, 409 for a duplicate in flight, 422 for another body (problem+json).
   * `stripe`: the key is optional. `webhook`: never a 4xx to a duplicate, it joins, then gets 503. @defaultValue 'ietf'
   */
  preset?: Preset | undefined;
  /** Where the key comes from: the `Idempotency-Key` header, or a function; `undefined` means that the request just runs. */
  key?: 'header' | ((request: R) => Key | undefined | Promise<Key | undefined>) | undefined;
  /** Keeps tenants apart, beside method, path and `Authorization`. Sessions by cookie must set it. */
  scope?: ((request: R) => string) | undefined;
  /** How long a duplicate waits for the run in flight, milliseconds. @defaultValue the instance's */
  waitMs?: number | false | undefined;
  /** Largest answer that is kept; a larger one passes through and is not stored. Bytes. @defaultValue 1_048_576 */
  maxAnswerBytes?: number | undefined;
  /** Hears of headers that are ignored. */
  onEvent?: ((event: IdempotencyEvent) => void) | undefined;
}

/** Defaults of the HTTP middleware. */
export const HTTP_DEFAULTS = {
  preset: 'ietf',
  /** Answers of APIs are small; what is larger is better run again than kept in memory. Choice. */
  maxAnswerBytes: 1024 * 1024,
} as const;

const PRESETS: readonly string[] = ['ietf', 'stripe', 'webhook'];

/** @throws IdempotencyError `IDEMPOTENCY_INVALID_OPTION` */
export function checkHttpOptions<R>(options: HttpOptions<R>): { preset: Preset; maxAnswerBytes: number } {
  const { preset = HTTP_DEFAULTS.preset, key = 'header', maxAnswerBytes = HTTP_DEFAULTS.maxAnswerBytes } = options;
  if (!PRESETS.includes(preset)) refuseOption('preset', `must be one of ${PRESETS.join(', ')}`, preset);
  if (key !== 'header' && typeof key !== 'function') refuseOption('key', "must be 'header' or a function", key);
  return { preset, maxAnswerBytes: count('maxAnswerBytes', maxAnswerBytes) };
}
