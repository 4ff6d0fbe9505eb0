import type { DeliveryEvent } from '@holdfast/alert-delivery';
import { BoundedMap } from './bounded-map.js';
import { ChannelWatch } from './channel-watch.js';
import { Minutes } from './minutes.js';

/** A post that was answered as a copy of what was already accepted. */
export interface Copy {
  at: number;
  sender: string;
  why: 'joined' | 'same-sender' | 'other-sender' | 'stale';
}

/** A post that was answered 400. */
export interface Refusal {
  at: number;
  from: string;
  why: string;
  /** The first 2,000 characters of the body. */
  body: string;
}

/** Of each notification the newest copies are kept, and counted past that. */
const COPIES = 20;
const NOTIFICATIONS = 10_000;
const REFUSALS = 5;
const STUCK_AFTER_MS = 60_000;

/**
 * What this process saw since it started and no store keeps: copies, refusals, the health of channels, rates. Bounded,
 * and nothing that is promised depends on it.
 */
export class Activity {
  readonly startedAt: number;
  readonly channels: ChannelWatch;
  readonly accepted = new Minutes();
  readonly failed = new Minutes();
  lastWebhookAt: number | undefined;
  consolidation: { at: number; ok: boolean } | undefined;
  /** Posts that were absorbed. */
  copies = 0;
  refused = 0;
  readonly refusals: Refusal[] = [];
  readonly #copies = new BoundedMap<string, { count: number; newest: Copy[] }>(NOTIFICATIONS);
  /** When each notification that this process has on its way was accepted, oldest first. */
  readonly #onTheWay = new BoundedMap<string, number>(NOTIFICATIONS);

  #stuckSince: number | undefined;

  constructor(channels: readonly string[], now: number) {
    this.startedAt = now;
    this.channels = new ChannelWatch(channels);
  }

  delivery(event: DeliveryEvent, now: number): void {
    this.channels.see(event, now);
    switch (event.type) {
      case 'alert.accepted':
        this.#onTheWay.set(event.id, now);
        this.accepted.add(now, now);
        return;
      case 'alert.recovered':
      case 'alert.replayed':
        this.#onTheWay.set(event.id, now);
        return;
      case 'attempt.failed':
        this.failed.add(now, now);
        return;
      case 'alert.delivered':
      case 'alert.coalesced':
      case 'alert.dead':
      case 'hold.lost':
        this.#onTheWay.delete(event.id);
        return;
      default:
    }
  }

  /** Since when the oldest notification on its way from here waits. */
  oldestUnsent(): number | undefined {
    let oldest: number | undefined;
    for (const at of this.#onTheWay.values()) oldest = oldest === undefined ? at : Math.min(oldest, at);
    return oldest;
  }

  /**
   * How many of `pending` notifications nothing here works on, once that has been so for a minute: their end could not be
   * written down, and the next start sends them again. Only for a store that no other process shares.
   */
  stuck(pending: number, now: number): number {
    const extra = this.#onTheWay.isFull ? 0 : Math.max(0, pending - this.#onTheWay.size);
    this.#stuckSince = extra === 0 ? undefined : (this.#stuckSince ?? now);
    return this.#stuckSince !== undefined && now - this.#stuckSince > STUCK_AFTER_MS ? extra : 0;
  }

  absorbed(notification: string, copy: Copy): void {
    this.copies++;
    const known = this.#copies.get(notification) ?? { count: 0, newest: [] };
    known.count++;
    known.newest.push(copy);
    if (known.newest.length > COPIES) known.newest.shift();
    this.#copies.set(notification, known);
  }

  copiesOf(notification: string): { count: number; newest: readonly Copy[] } {
    return this.#copies.get(notification) ?? { count: 0, newest: [] };
  }

  refuse(refusal: Refusal): void {
    this.refused++;
    this.refusals.push(refusal);
    if (this.refusals.length > REFUSALS) this.refusals.shift();
  }
}
