import type { AlertmanagerOptions } from '../alertmanager.js';
import { refuseOption } from '../errors.js';
import type { IdempotencyEvent } from '../events.js';
import type { Key } from '../key.js';
import { count, wait } from '../options.js';

/** What the sender does with an answer decides what it must be told. */
export type Preset = 'ietf' | 'stripe' | 'webhook';

/** Options of the HTTP middleware; `R` is the framework's request (koa and hono: its context). */
export interface HttpOptions<R> {
  /**
   * `ietf`: the key is required; 400 without it, 409 for a duplicate in flight, 422 for another body (problem+json).
   * `stripe`: the key is optional; 409, and 400 for another body. `webhook`: a duplicate is never told 4xx, it joins, then
   * gets 503; a body with a `groupKey` goes by its lane. @defaultValue 'ietf'
   */
  preset?: Preset | undefined;
  /** Where the key comes from: the `Idempotency-Key` header, or a function; `undefined` means that the request just runs. */
  key?: 'header' | ((request: R) => Key | undefined | Promise<Key | undefined>) | undefined;
  /** Keeps tenants apart, beside method, path and `Authorization`. Sessions by cookie must set it; so must who counts the query. */
  scope?: ((request: R) => string) | undefined;
  /** Who sent it, to tell the peers of an Alertmanager cluster apart. @defaultValue the address, after trusted proxies */
  sender?: ((request: R) => string | undefined) | undefined;
  /** How Alertmanager is configured, for the lanes of preset `webhook`. */
  alertmanager?: AlertmanagerOptions | undefined;
  /** Which statuses are kept for replays. 429 and 5xx never are. @defaultValue all others */
  keep?: ((status: number) => boolean) | undefined;
  /** How long a duplicate waits for the run in flight, milliseconds. @defaultValue the instance's */
  waitMs?: number | false | undefined;
  /** Largest answer that is kept; a larger one passes through and is not stored. Bytes. @defaultValue 1_048_576 */
  maxAnswerBytes?: number | undefined;
  /** Hears of headers that are ignored, and of bodies that nobody parsed. */
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
  if (typeof options !== 'object' || options === null) refuseOption('options', 'must be an object', options);
  const { preset = HTTP_DEFAULTS.preset, key = 'header', maxAnswerBytes = HTTP_DEFAULTS.maxAnswerBytes } = options;
  if (!PRESETS.includes(preset)) refuseOption('preset', `must be one of ${PRESETS.join(', ')}`, preset);
  if (key !== 'header' && typeof key !== 'function') refuseOption('key', "must be 'header' or a function", key);
  for (const name of ['scope', 'sender', 'keep', 'onEvent'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'function')
      refuseOption(name, 'must be a function', options[name]);
  if (options.waitMs !== undefined) wait(options.waitMs);
  return { preset, maxAnswerBytes: count('maxAnswerBytes', maxAnswerBytes) };
}
