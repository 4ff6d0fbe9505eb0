import type { KbEvent } from './events.js';
import type { StoreHealth } from './store.js';

/**
 * - `loading`: not open yet.
 * - `ready`: memory has what the store has.
 * - `stale`: reads and writes work; other instances' changes may be missing while everything is compared.
 * - `degraded`: reads work; the store is away and writes will reject.
 * - `failed`: reads work; no write will ever succeed again: close it and open anew.
 * - `closed`
 */
export type KbState = 'loading' | 'ready' | 'stale' | 'degraded' | 'failed' | 'closed';

/** What a knowledge base says about itself. */
export interface KbHealth {
  readonly state: KbState;
  readonly entries: number;
  /** How other instances' changes arrive; `local` where there are none. */
  readonly tail: 'stream' | 'poll' | 'local';
  /** How far memory is behind the store, milliseconds; null when that can't be told. */
  readonly lagMs: number | null;
  /** Writes that may or may not be stored. */
  readonly inDoubt: number;
  /** Stored entries that can't be read, set aside. */
  readonly quarantined: number;
  /** Bytes of unacknowledged writes that were cut from the log's end at start. */
  readonly tornBytes: number;
  /** Bytes of damage that were set aside. */
  readonly quarantinedBytes: number;
  /** While it is `building`, text queries answer by a scan. */
  readonly textIndex: { readonly state: 'building' | 'ready'; readonly indexed: number };
  /** When `verify` last found everything right, ISO 8601. */
  readonly lastVerifiedAt: string | undefined;
  /** Why it is not `ready`. */
  readonly cause: Error | undefined;
}

/** What the store last said, merged. */
type Reported = {
  -readonly [K in 'tail' | 'lagMs' | 'tornBytes' | 'quarantinedBytes' | 'cause']: KbHealth[K];
} & {
  state: KbState;
};

/** Merges what a store says. `failed` and `closed` are final, and a cause ends with the state that it explains. Pure. */
export function report(known: Reported, change: StoreHealth): Reported {
  if (known.state === 'closed') return known;
  const final = known.state === 'failed';
  const state = final ? 'failed' : (change.state ?? known.state);
  return {
    state,
    tail: change.tail ?? known.tail,
    lagMs: change.lagMs === undefined ? known.lagMs : change.lagMs,
    tornBytes: change.tornBytes ?? known.tornBytes,
    quarantinedBytes: change.quarantinedBytes ?? known.quarantinedBytes,
    cause: state === 'ready' ? undefined : final ? known.cause : (change.cause ?? known.cause),
  };
}

/** Keeps what was last said about health, and tells each change of state. */
export class HealthKeeper {
  readonly #emit: (event: KbEvent) => void;
  #reported: Reported = {
    state: 'loading',
    tail: 'local',
    lagMs: null,
    tornBytes: 0,
    quarantinedBytes: 0,
    cause: undefined,
  };

  constructor(emit: (event: KbEvent) => void) {
    this.#emit = emit;
  }

  get reported(): Readonly<Reported> {
    return this.#reported;
  }

  hear(change: StoreHealth): void {
    this.#become(report(this.#reported, change));
  }

  /** The end; nothing changes it any more. */
  close(): void {
    this.#become({ ...this.#reported, state: 'closed' });
  }

  #become(next: Reported): void {
    const from = this.#reported.state;
    this.#reported = next;
    if (next.state !== from) {
      this.#emit({ type: 'kb.health-changed', from, to: next.state, reason: next.cause?.message });
    }
  }
}
