import type { Payload, WebhookAlert } from './payload.js';

/** An alert as the list shows it. Times are epoch milliseconds of this host, or as the sender wrote them. */
export interface BookedAlert {
  fingerprint: string;
  status: 'firing' | 'unconfirmed' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  receiver: string;
  groupKey?: string;
  startsAt?: string;
  endsAt?: string;
  generatorURL?: string;
  externalURL?: string;
  /** When it was first and last heard of. */
  firstAt: number;
  lastAt: number;
  /** The notifications that carried it, newest first. */
  notifications: string[];
}

/** One post, as it was accepted. */
export interface BookedNotification {
  id: string;
  acceptedAt: number;
  payload: Payload;
}

/** The newest ids a row keeps; the older ones are still found through the delivery history. */
const NOTIFICATIONS_PER_ALERT = 20;

/**
 * The alerts of the recent past by fingerprint, derived from notifications: applying the same ones in any order, any
 * number of times, gives the same book. Holds at most `maxAlerts`, and lets go of those not heard of for longest.
 */
export class AlertBook {
  /** In order of their last news, oldest first. */
  readonly #alerts = new Map<
    string,
    Omit<BookedAlert, 'status'> & { status: 'firing' | 'resolved'; times: number[] }
  >();
  readonly #maxAlerts: number;
  readonly #confirmedForMs: number;
  #evicted = 0;

  constructor(options: { maxAlerts: number; confirmedForMs: number }) {
    this.#maxAlerts = options.maxAlerts;
    this.#confirmedForMs = options.confirmedForMs;
  }

  get size(): number {
    return this.#alerts.size;
  }

  /** How many alerts were let go to keep the bound. */
  get evicted(): number {
    return this.#evicted;
  }

  apply(notification: BookedNotification): void {
    for (const alert of notification.payload.alerts) this.#applyOne(alert, notification);
    while (this.#alerts.size > this.#maxAlerts) {
      const [oldest] = this.#alerts.keys();
      this.#alerts.delete(oldest!);
      this.#evicted++;
    }
  }

  get(fingerprint: string, now: number): BookedAlert | undefined {
    const alert = this.#alerts.get(fingerprint);
    return alert && this.#shown(alert, now);
  }

  /** The alerts with that status (all without one), newest news first, and how many there are in all. */
  list(
    options: { limit: number; status?: BookedAlert['status'] | undefined },
    now: number,
  ): { alerts: BookedAlert[]; total: number } {
    const alerts: BookedAlert[] = [];
    let total = 0;
    for (const alert of [...this.#alerts.values()].reverse()) {
      if (options.status !== undefined && this.#statusOf(alert, now) !== options.status) continue;
      total++;
      if (alerts.length < options.limit) alerts.push(this.#shown(alert, now));
    }
    return { alerts, total };
  }

  /** The alerts that became unconfirmed after `since` and until `now`: time alone changes them, no news does. */
  becameUnconfirmed(since: number, now: number): string[] {
    return [...this.#alerts.values()]
      .filter((alert) => this.#statusOf(alert, now) === 'unconfirmed' && this.#statusOf(alert, since) === 'firing')
      .map(({ fingerprint }) => fingerprint);
  }

  counts(now: number): Record<BookedAlert['status'], number> {
    const counts = { firing: 0, unconfirmed: 0, resolved: 0 };
    for (const alert of this.#alerts.values()) counts[this.#statusOf(alert, now)]++;
    return counts;
  }

  #applyOne(alert: WebhookAlert, { id, acceptedAt, payload }: BookedNotification): void {
    const before = this.#alerts.get(alert.fingerprint);
    const notifications = before?.notifications ?? [];
    const times = before?.times ?? [];
    if (!notifications.includes(id)) {
      const at = times.findIndex((time) => time <= acceptedAt);
      notifications.splice(at < 0 ? notifications.length : at, 0, id);
      times.splice(at < 0 ? times.length : at, 0, acceptedAt);
      notifications.length = Math.min(notifications.length, NOTIFICATIONS_PER_ALERT);
      times.length = notifications.length;
    }
    if (before && acceptedAt < before.lastAt) {
      before.firstAt = Math.min(before.firstAt, acceptedAt);
      return;
    }
    this.#alerts.delete(alert.fingerprint);
    this.#alerts.set(alert.fingerprint, {
      ...alert,
      receiver: payload.receiver,
      ...(payload.groupKey !== undefined && { groupKey: payload.groupKey }),
      ...(payload.externalURL !== undefined && { externalURL: payload.externalURL }),
      firstAt: before?.firstAt ?? acceptedAt,
      lastAt: acceptedAt,
      notifications,
      times,
    });
  }

  #statusOf(alert: { status: 'firing' | 'resolved'; lastAt: number }, now: number): BookedAlert['status'] {
    return alert.status === 'firing' && now - alert.lastAt > this.#confirmedForMs ? 'unconfirmed' : alert.status;
  }

  #shown(
    alert: Omit<BookedAlert, 'status'> & { status: 'firing' | 'resolved'; times: number[] },
    now: number,
  ): BookedAlert {
    const { times: _, ...shown } = alert;
    return { ...shown, status: this.#statusOf(alert, now), notifications: [...alert.notifications] };
  }
}
