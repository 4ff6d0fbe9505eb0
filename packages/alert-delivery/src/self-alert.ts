import { randomUUID } from 'node:crypto';
import type { StoredAlert } from './alert.js';
import type { Dispatch } from './dispatch.js';
import type { DeliveryEvent } from './events.js';
import type { FullOptions } from './options.js';

/**
 * Tells people through the other channels that one is down: escalation works, so nobody would notice otherwise. Once until
 * the channel is back; not counted in the six, and its own failure raises nothing.
 */
export class SelfAlerts {
  readonly #chain: FullOptions['chain'];
  readonly #dispatch: () => Dispatch | undefined;
  readonly #emit: (event: DeliveryEvent) => void;
  /** Channels that people were told of and that have not worked since. */
  readonly #told = new Set<string>();
  raised = 0;

  constructor(chain: FullOptions['chain'], dispatch: () => Dispatch | undefined, emit: (event: DeliveryEvent) => void) {
    this.#chain = chain;
    this.#dispatch = dispatch;
    this.#emit = emit;
  }

  /** The next failure of the channel is news again. */
  worksAgain(channel: string): void {
    this.#told.delete(channel);
  }

  raise(channel: string, why: string): void {
    const dispatch = this.#dispatch();
    if (!dispatch || this.#told.has(channel)) return;
    const alert: StoredAlert = Object.freeze({
      id: `self-${randomUUID()}`,
      severity: 'error',
      title: `alert channel ${channel} is down (${why}): alerts go to the next one`,
    });
    const chain = typeof this.#chain === 'function' ? dispatch.routeOf(alert) : this.#chain;
    const others = chain.filter((step) => step.channel.name !== channel);
    if (others.length === 0) return;
    this.#told.add(channel);
    this.raised++;
    this.#emit({ type: 'self-alert.raised', channel });
    void dispatch.sendApart(alert, others).then((end) => {
      if (end.kind !== 'ended' || end.end.type === 'dead') this.#emit({ type: 'self-alert.failed', channel });
    });
  }
}
