import type { StopSignal } from './stop.js';
import type { ChannelCondition } from './store.js';
import type { VerdictKind } from './verdict.js';

/** A wish to send one message. `T` is whose wish it is. */
export interface Ask<T> {
  readonly owner: T;
  /** Goes before the others and is never folded. */
  readonly critical: boolean;
  /** Goes through an open breaker, as its probe, one at a time. */
  readonly force: boolean;
  /** Monotonic: a Retry-After that ends later than this is not waited for. */
  readonly throttleLimitMs: number;
  /** Monotonic: longer than this the message does not wait for its turn. `Infinity` on the last step. */
  readonly queueLimitMs: number;
  /** Messages with an equal key may become one digest. `undefined`: never. Asked only of who has to wait. */
  readonly foldKey: () => string | undefined;
  readonly signal: StopSignal;
}

export type Admission<T> =
  /** Send now, then call `end`. `folded` are the owners whose messages this one carries too. */
  | { readonly kind: 'go'; readonly probe: boolean; readonly folded: readonly T[] }
  | { readonly kind: 'folded' }
  | { readonly kind: 'refused'; readonly why: 'breaker-open' | 'throttled' | 'deadline' }
  | { readonly kind: 'aborted' };

/** What a gate tells of itself. */
export interface GateEvents {
  throttled(ms: number): void;
  opened(ms: number, why: VerdictKind): void;
  probed(): void;
  closed(): void;
  changed(condition: ChannelCondition): void;
}
