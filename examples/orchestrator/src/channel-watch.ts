import type { DeliveryEvent } from '@holdfast/alert-delivery';

/** How one channel of the chain does, as this process saw it. Times are epoch milliseconds. */
export interface ChannelView {
  name: string;
  /** `idle`: nothing has gone through it since the start. */
  state: 'ok' | 'failing' | 'down' | 'throttled' | 'idle';
  /** Since when it is not ok: its first failure after the last success. */
  since?: number | undefined;
  verdict?: string | undefined;
  /** The last failure's text, without secrets. */
  error?: string | undefined;
  /** Of this process: notifications that it took, and attempts that failed. */
  sent: number;
  failed: number;
  /** From acceptance to the channel's yes, milliseconds, of its last 200. */
  p95Ms?: number | undefined;
  lastSentAt?: number | undefined;
  waiting: number;
  active: number;
  /** How long the channel asked to be left alone, milliseconds. */
  throttledMs: number;
}

/** What delivery's `stats()` says of a channel. */
export interface Gate {
  waiting: number;
  active: number;
  breaker: 'closed' | 'open' | 'half-open';
  throttledMs: number;
}

interface Seen {
  sent: number;
  failed: number;
  failingSince?: number | undefined;
  verdict?: string | undefined;
  error?: string | undefined;
  lastSentAt?: number | undefined;
  times: number[];
}

const TIMES = 200;

/** Folds delivery's events into the health of each channel. */
export class ChannelWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #names: readonly string[];

  /** `names` in the order of the chain. */
  constructor(names: readonly string[]) {
    this.#names = names;
    for (const name of names) this.#seen.set(name, { sent: 0, failed: 0, times: [] });
  }

  see(event: DeliveryEvent, now: number): void {
    if (event.type === 'attempt.failed') {
      const seen = this.#seen.get(event.channel);
      if (!seen) return;
      seen.failed++;
      seen.failingSince ??= now;
      seen.verdict = event.verdict;
      seen.error = event.error;
    } else if (event.type === 'alert.delivered') {
      const seen = this.#seen.get(event.channel);
      if (!seen) return;
      seen.sent++;
      seen.lastSentAt = now;
      seen.failingSince = undefined;
      seen.times.push(event.ms);
      if (seen.times.length > TIMES) seen.times.shift();
    }
  }

  read(gates: Readonly<Record<string, Gate>>): ChannelView[] {
    return this.#names.map((name) => {
      const seen = this.#seen.get(name)!;
      const gate = gates[name];
      const state = stateOf(seen, gate);
      const unwell = state === 'failing' || state === 'down' || state === 'throttled';
      return {
        name,
        state,
        ...(unwell && { since: seen.failingSince, verdict: seen.verdict, error: seen.error }),
        sent: seen.sent,
        failed: seen.failed,
        p95Ms: percentile(seen.times, 0.95),
        lastSentAt: seen.lastSentAt,
        waiting: gate?.waiting ?? 0,
        active: gate?.active ?? 0,
        throttledMs: gate?.throttledMs ?? 0,
      };
    });
  }
}

function stateOf(seen: Seen, gate: Gate | undefined): ChannelView['state'] {
  if (gate && gate.breaker !== 'closed') return 'down';
  if (gate && gate.throttledMs > 0) return 'throttled';
  if (seen.failingSince !== undefined) return 'failing';
  return seen.sent > 0 ? 'ok' : 'idle';
}

function percentile(times: readonly number[], share: number): number | undefined {
  if (times.length === 0) return undefined;
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}
