import { type Clock, systemClock } from '@holdfast/clock';
import type { StoredAlert } from './alert.js';
import type { Channel, Step } from './channel.js';
import { DeliveryError } from './errors.js';
import type { DeliveryEvent } from './events.js';
import type { DeadReason, Outcome } from './life.js';
import type { StoreDriver } from './store.js';

/** Every default, with its reason. */
export const DEFAULTS = {
  /** The whole chain of one alert. Choice: two channels with three attempts of 10 s each and their pauses fit. */
  deadlineMs: 120_000,
  step: {
    /** Choice: a third attempt helps against a restarting provider; a fourth mostly delays the next channel. */
    retries: 2,
    /** The post-mortem's figure for Slack and SendGrid, which answer in well under one second when they work. */
    timeoutMs: 10_000,
    /** Full jitter in [0, min(maxMs, minMs * factor^(n-1))]. Choice. */
    backoff: { minMs: 500, maxMs: 10_000, factor: 2 },
    /** Consecutive failures, not a rate: alert traffic is too sparse for a window of 100 calls (resilience4j's default). */
    breaker: { failures: 5, openMs: 30_000, maxOpenMs: 600_000 },
    /** Choice: fetch keeps one connection for each; more does not make a webhook provider faster. */
    concurrency: 16,
  },
  /** What waits costs about 5 kB beside its text: a storm stays under 30 MB. Above it `accept` waits; critical ones have a tenth more. */
  queue: { max: 1_000, maxBytes: 64 * 1024 * 1024, whenFull: 'wait' },
  /** The post-mortem's figures for history. */
  history: { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024, ttlMs: 48 * 60 * 60 * 1000 },
  /** What memory keeps of one costs about 1 kB: with these a storm stays under 30 MB, and one of 20,000 keeps every alert. */
  deadLetters: { maxEntries: 20_000, maxBytes: 128 * 1024 * 1024 },
  /** Of the human-readable mirror; past it the file is moved to `.1`, so that two of them is the most there is. */
  mirrorBytes: 16 * 1024 * 1024,
  /** Fewer waiting alerts than this are sent one by one when a throttled channel opens again. Choice: ten lines fit a screen. */
  foldAbove: 10,
  /** As in the file lock: an owner that can't be proven dead is watched for 10 s, so opening may need more than that. */
  startTimeoutMs: 30_000,
  /** How long `close` waits for attempts in flight. One attempt's default timeout. */
  closeTimeoutMs: 10_000,
} as const;

/** What the critical hook gets: an alert that no channel took. */
export interface CriticalFailure {
  readonly alert: StoredAlert;
  readonly reason: DeadReason;
  readonly outcome: Outcome;
}

/** What {@link openDelivery} takes. */
export interface DeliveryOptions {
  /** The rungs, tried in order, or a function that chooses them for an alert. A route that is empty ends the alert dead. */
  chain: readonly Step[] | ((alert: StoredAlert) => readonly Step[]);
  store: StoreDriver;
  /** One budget for all attempts and pauses of one alert, milliseconds. The last step always keeps one attempt's time. */
  deadlineMs?: number | undefined;
  /** Called when an alert ends dead. It is guarded: what it throws is an event, and alerts that it creates call it no more. */
  critical?: ((failure: CriticalFailure) => unknown) | undefined;
  /**
   * `max` and `maxBytes` pending alerts in this process. Past `max` an alert waits for room before it is stored, or with
   * `whenFull: 'coalesce'` comes in at once and is folded into the next message (never a critical one, and never past `maxBytes`).
   */
  queue?:
    | { max?: number | undefined; maxBytes?: number | undefined; whenFull?: 'wait' | 'coalesce' | undefined }
    | undefined;
  /** Alerts with the same `dedupKey` (and status) within `windowMs` of the first become one message. Critical never waits. */
  group?: { windowMs: number } | undefined;
  /** What is remembered of alerts that have ended. */
  history?: { maxEntries?: number | undefined; maxBytes?: number | undefined; ttlMs?: number | undefined } | undefined;
  deadLetters?: { maxEntries?: number | undefined; maxBytes?: number | undefined } | undefined;
  /** Removed from error texts, beside the secrets of the channels: strings, patterns, or a function. */
  redact?: readonly (string | RegExp)[] | ((text: string) => string) | undefined;
  /** Path of the human-readable copy of dead letters. Default: `failed-alerts.jsonl` in the store's folder, if it has one. */
  deadLetter?: string | undefined;
  /** The dead-man switch: GETs `url` at once and every `everyMs`, while the store works and the law holds. Off by default. */
  heartbeat?: { url: string; everyMs: number } | undefined;
  /** Sends a test message through every step, so that a revoked webhook is found early. `paging` channels only when asked. Off by default. */
  canary?: { everyMs: number; paging?: boolean | undefined } | undefined;
  startTimeoutMs?: number | undefined;
  onEvent?: ((event: DeliveryEvent) => void) | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

/** A step with every default filled in. */
export interface FullStep {
  readonly channel: Channel;
  /** Of the channel. */
  readonly name: string;
  readonly retries: number;
  readonly timeoutMs: number;
  readonly backoff: { readonly minMs: number; readonly maxMs: number; readonly factor: number };
  readonly breaker: false | { readonly failures: number; readonly openMs: number; readonly maxOpenMs: number };
  readonly concurrency: number;
  readonly perSecond: number | undefined;
}

/** Options with every default filled in. */
export interface FullOptions {
  readonly chain: readonly FullStep[] | ((alert: StoredAlert) => readonly Step[]);
  readonly store: StoreDriver;
  readonly deadlineMs: number;
  readonly critical: DeliveryOptions['critical'];
  readonly queue: { readonly max: number; readonly maxBytes: number; readonly whenFull: 'wait' | 'coalesce' };
  readonly group: { readonly windowMs: number } | undefined;
  readonly history: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number };
  readonly deadLetters: { readonly maxEntries: number; readonly maxBytes: number };
  readonly redact: DeliveryOptions['redact'];
  readonly deadLetter: string | undefined;
  readonly heartbeat: { readonly url: string; readonly everyMs: number } | undefined;
  readonly canary: { readonly everyMs: number; readonly paging: boolean } | undefined;
  readonly startTimeoutMs: number;
  readonly onEvent: DeliveryOptions['onEvent'];
  readonly clock: Clock;
  readonly random: () => number;
}

/** `setTimeout` fires at once above this, and so do the two libraries that wait for us. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Checks and completes the options.
 *
 * @throws DeliveryError `DELIVERY_INVALID_OPTION` naming the option, the rule and what was given.
 */
export function fullOptions(options: DeliveryOptions): FullOptions {
  if (typeof options !== 'object' || options === null) throw invalid('options', 'must be an object', options);
  const { chain, store, queue, group, history, deadLetters } = options;
  if (typeof store !== 'object' || store === null || typeof store.open !== 'function') {
    throw invalid('store', 'must be fileStore(…), mongoStore(…) or memoryStore()', store);
  }
  if (typeof chain !== 'function' && !Array.isArray(chain))
    throw invalid('chain', 'must be a list of steps or a function', chain);
  if (Array.isArray(chain) && chain.length === 0) throw invalid('chain', 'must have at least one step', chain);
  if (group) within('group.windowMs', group.windowMs, 1, LONGEST_MS);
  if (options.critical !== undefined && typeof options.critical !== 'function') {
    throw invalid('critical', 'must be a function', options.critical);
  }
  return {
    chain: typeof chain === 'function' ? (chain as (alert: StoredAlert) => readonly Step[]) : fullSteps(chain),
    store,
    deadlineMs: within('deadlineMs', options.deadlineMs ?? DEFAULTS.deadlineMs, 1, LONGEST_MS),
    critical: options.critical,
    queue: {
      max: within('queue.max', queue?.max ?? DEFAULTS.queue.max, 1, 10_000_000),
      maxBytes: within('queue.maxBytes', queue?.maxBytes ?? DEFAULTS.queue.maxBytes, 1, Number.MAX_SAFE_INTEGER),
      whenFull: whenFull(queue?.whenFull ?? DEFAULTS.queue.whenFull),
    },
    group,
    history: {
      maxEntries: within('history.maxEntries', history?.maxEntries ?? DEFAULTS.history.maxEntries, 1, 10_000_000),
      maxBytes: within('history.maxBytes', history?.maxBytes ?? DEFAULTS.history.maxBytes, 1, Number.MAX_SAFE_INTEGER),
      ttlMs: within('history.ttlMs', history?.ttlMs ?? DEFAULTS.history.ttlMs, 1, Number.MAX_SAFE_INTEGER),
    },
    deadLetters: {
      maxEntries: within(
        'deadLetters.maxEntries',
        deadLetters?.maxEntries ?? DEFAULTS.deadLetters.maxEntries,
        1,
        10_000_000,
      ),
      maxBytes: within(
        'deadLetters.maxBytes',
        deadLetters?.maxBytes ?? DEFAULTS.deadLetters.maxBytes,
        1,
        Number.MAX_SAFE_INTEGER,
      ),
    },
    redact: options.redact,
    deadLetter: options.deadLetter,
    heartbeat: heartbeatOf(options.heartbeat),
    canary: options.canary && {
      everyMs: within('canary.everyMs', options.canary.everyMs, 1, LONGEST_MS),
      paging: options.canary.paging ?? false,
    },
    startTimeoutMs: within('startTimeoutMs', options.startTimeoutMs ?? DEFAULTS.startTimeoutMs, 1, LONGEST_MS),
    onEvent: options.onEvent,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

function heartbeatOf(heartbeat: DeliveryOptions['heartbeat']): FullOptions['heartbeat'] {
  if (!heartbeat) return undefined;
  // The URL is a credential: it is not shown.
  if (typeof heartbeat.url !== 'string' || !URL.canParse(heartbeat.url))
    throw invalid('heartbeat.url', 'must be a URL', typeof heartbeat.url);
  return { url: heartbeat.url, everyMs: within('heartbeat.everyMs', heartbeat.everyMs, 1, LONGEST_MS) };
}

function whenFull(value: 'wait' | 'coalesce'): 'wait' | 'coalesce' {
  if (value !== 'wait' && value !== 'coalesce') throw invalid('queue.whenFull', "must be 'wait' or 'coalesce'", value);
  return value;
}

/** Checks and completes a route. @throws DeliveryError `DELIVERY_INVALID_OPTION`. */
export function fullSteps(steps: readonly Step[]): FullStep[] {
  if (!Array.isArray(steps)) throw invalid('chain', 'must give a list of steps', steps);
  const full = steps.map((step, index) => fullStep(step, `chain[${index}]`));
  const names = full.map((step) => step.channel.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid('chain', 'must name each channel once', twice);
  return full;
}

function fullStep(step: Step, where: string): FullStep {
  const { channel } = step ?? {};
  if (typeof channel?.send !== 'function') throw invalid(`${where}.channel`, 'must have a send function', channel);
  if (typeof channel.name !== 'string' || channel.name === '')
    throw invalid(`${where}.channel.name`, 'must be a string that is not empty', channel.name);
  const backoff = { ...DEFAULTS.step.backoff, ...step.backoff };
  const breaker = step.breaker === false ? false : { ...DEFAULTS.step.breaker, ...defined(step.breaker) };
  if (breaker) {
    within(`${where}.breaker.failures`, breaker.failures, 1, 1_000_000);
    within(`${where}.breaker.openMs`, breaker.openMs, 1, LONGEST_MS);
    within(`${where}.breaker.maxOpenMs`, breaker.maxOpenMs, 1, LONGEST_MS);
  }
  const { perSecond } = step;
  if (perSecond !== undefined && !(perSecond > 0 && Number.isFinite(perSecond))) {
    throw invalid(`${where}.perSecond`, 'must be a finite number above 0', perSecond);
  }
  return {
    channel,
    name: channel.name,
    retries: within(`${where}.retries`, step.retries ?? DEFAULTS.step.retries, 0, 1000),
    timeoutMs: within(`${where}.timeoutMs`, step.timeoutMs ?? DEFAULTS.step.timeoutMs, 1, LONGEST_MS),
    backoff: {
      minMs: within(`${where}.backoff.minMs`, backoff.minMs, 0, LONGEST_MS),
      maxMs: within(`${where}.backoff.maxMs`, backoff.maxMs, 0, LONGEST_MS),
      factor: within(`${where}.backoff.factor`, backoff.factor, 1, 1000),
    },
    breaker,
    concurrency: within(`${where}.concurrency`, step.concurrency ?? DEFAULTS.step.concurrency, 1, 100_000),
    perSecond,
  };
}

function defined<T extends object>(given: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as never;
}

function within(name: string, value: number, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max))
    throw invalid(name, `must be a number from ${min} to ${max}`, value);
  return value;
}

function invalid(name: string, rule: string, value: unknown): DeliveryError {
  const shown =
    typeof value === 'function' ? 'a function' : Array.isArray(value) ? `a list of ${value.length}` : String(value);
  return new DeliveryError('DELIVERY_INVALID_OPTION', `${name} ${rule}, got ${shown}`);
}
