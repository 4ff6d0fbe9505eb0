import type { StoredAlert } from './alert.js';
import type { Verdict } from './verdict.js';

/** What a channel is told with each attempt. */
export interface SendContext {
  /** Aborts when the attempt's time is up or delivery closes. A channel that ignores it is left behind. */
  readonly signal: AbortSignal;
  /** Counts from 1 on each channel. */
  readonly attempt: number;
  /** The same for every attempt at this alert on this channel, across restarts and replays. */
  readonly idempotencyKey: string;
  /** How long this attempt may take. */
  readonly remainingMs: number;
  /** An earlier attempt here may have arrived (a crash, a timeout, a cut connection): say so where people read it. */
  readonly maybeRepeat: boolean;
  /** The provider rejected the full message: send the title and the id only, at most 1 KB. */
  readonly minimal: boolean;
  /** The alert was accepted by a process that is gone. */
  readonly recovered: boolean;
}

/** What the provider said about a message that it took. Everything in it is optional and is kept in the timeline. */
export interface Receipt {
  /** The provider's own id of the message. */
  readonly id?: string | undefined;
  /** Recipients that were refused while others were accepted. */
  readonly rejected?: readonly string[] | undefined;
}

/**
 * A way to tell people. Implementations are safe for concurrent calls.
 *
 * `send` resolves once the provider took the message and throws otherwise; throw a `ChannelError` to say what the failure
 * means. It must not retry by itself, and should stop at `signal`.
 */
export interface Channel {
  /** Names it in outcomes, events, metrics and the journal: unique in a chain, stable across restarts, no secret in it. */
  readonly name: string;
  send(alert: StoredAlert, context: SendContext): Promise<Receipt | undefined | void>;
  /** The channel's opinion about something its `send` threw; `undefined` means none. */
  classify?(error: unknown): Verdict | undefined;
  /** The provider drops a second message with the same `idempotencyKey`. */
  readonly idempotent?: boolean | undefined;
  /** False: several alerts never become one message here, because the provider keeps track of each by its key. */
  readonly folds?: boolean | undefined;
  /** It wakes people: no canary goes here unless `canary.paging` asks for it. */
  readonly paging?: boolean | undefined;
  /** Strings that must never be seen: the redactor removes them from error texts. */
  readonly secrets?: readonly string[] | undefined;
}

/** One rung of the chain. */
export interface Step {
  readonly channel: Channel;
  /** Retries after the first attempt. */
  readonly retries?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number; readonly factor: number } | undefined;
  readonly breaker?:
    | false
    | {
        readonly failures?: number | undefined;
        readonly openMs?: number | undefined;
        readonly maxOpenMs?: number | undefined;
      }
    | undefined;
  /** Attempts in flight at one time. */
  readonly concurrency?: number | undefined;
  /** Attempts started a second. */
  readonly perSecond?: number | undefined;
}
