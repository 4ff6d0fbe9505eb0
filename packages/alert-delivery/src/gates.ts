import type { Clock } from '@holdfast/clock';
import { ChannelGate } from './channel-gate.js';
import { reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';
import { DEFAULTS, type FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { DeliveryStore } from './store.js';
import type { VerdictKind } from './verdict.js';

/** The gate of every channel that was ever asked for, by name: one for all who send on the channel. */
export class Gates {
  readonly #gates = new Map<string, ChannelGate<Parcel>>();
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #emit: (event: DeliveryEvent) => void;
  readonly #onDown: (channel: string, why: VerdictKind) => void;
  readonly #onUp: (channel: string) => void;

  constructor(options: {
    store: DeliveryStore;
    clock: Clock;
    emit: (event: DeliveryEvent) => void;
    /** Called when a channel's breaker opens, and when it has closed again. */
    onDown: (channel: string, why: VerdictKind) => void;
    onUp: (channel: string) => void;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#onDown = options.onDown;
    this.#onUp = options.onUp;
  }

  /** The gate of the step's channel, made at the first call with the condition that the store remembers. */
  of(step: FullStep): ChannelGate<Parcel> {
    const { name } = step.channel;
    const known = this.#gates.get(name);
    if (known) {
      known.step = step;
      return known;
    }
    const emit = this.#emit;
    const gate = new ChannelGate<Parcel>({
      step,
      clock: this.#clock,
      foldAbove: DEFAULTS.foldAbove,
      condition: this.#store.conditions().find((condition) => condition.channel === name),
      events: {
        throttled: (ms) => emit({ type: 'channel.throttled', channel: name, ms }),
        opened: (ms, why) => {
          emit({ type: 'channel.opened', channel: name, ms, why });
          this.#onDown(name, why);
        },
        probed: () => emit({ type: 'channel.probed', channel: name }),
        closed: () => {
          emit({ type: 'channel.closed', channel: name });
          this.#onUp(name);
        },
        changed: (condition) => {
          this.#store
            .saveCondition(condition)
            .catch((error: unknown) => emit({ type: 'store.failed', during: 'channel', reason: reasonOf(error) }));
        },
      },
    });
    this.#gates.set(name, gate);
    return gate;
  }

  /** The last step that was seen for a channel. */
  stepOf(channel: string): FullStep | undefined {
    return this.#gates.get(channel)?.step;
  }

  /** Monotonic; `-Infinity` for a channel that never did. */
  lastFailedAtMs(name: string): number {
    return this.#gates.get(name)?.lastFailedAtMs ?? Number.NEGATIVE_INFINITY;
  }

  *secrets(): Iterable<string> {
    for (const gate of this.#gates.values()) yield* gate.step.channel.secrets ?? [];
  }

  stats(): Record<string, ReturnType<ChannelGate<Parcel>['stats']>> {
    return Object.fromEntries([...this.#gates].map(([name, gate]) => [name, gate.stats()]));
  }

  close(): void {
    for (const gate of this.#gates.values()) gate.close();
  }
}
