import type { RecentEntry } from '@holdfast/alert-delivery';
import type { BookedAlert } from './alert-book.js';
import { BoundedMap } from './bounded-map.js';
import type { Services } from './services.js';

/** How a notification stands, in a word or three. */
export interface Standing {
  id: string;
  status: 'pending' | 'delivered' | 'coalesced' | 'dead' | 'forgotten';
  channel?: string | undefined;
  attempts: number;
  /** Channels that did not take it. */
  failed: string[];
  copies: number;
}

/** An alert as the list shows it: its newest notification's standing in place of all timelines. */
export type AlertRow = Omit<BookedAlert, 'notifications' | 'firstAt' | 'lastAt'> & {
  id: string;
  firstAt: string;
  lastAt: string;
  /** How many notifications carried it. */
  carried: number;
  /** Copies absorbed of all of these. */
  copies: number;
  last?: Standing | undefined;
};

/** A notification as the list shows it. */
export interface NotificationRow {
  id: string;
  acceptedAt: string;
  title: string;
  severity: string;
  status: RecentEntry['status'];
  endedAt?: string | undefined;
  channel?: string | undefined;
  reason?: string | undefined;
  into?: string | undefined;
  attempts?: number | undefined;
  copies: number;
}

/** Makes rows. What has ended is looked up once: only a dead letter can change again. */
export class Rows {
  readonly #services: Pick<Services, 'delivery' | 'activity'>;
  readonly #ended = new BoundedMap<string, Omit<Standing, 'copies'>>(10_000);

  constructor(services: Pick<Services, 'delivery' | 'activity'>) {
    this.#services = services;
  }

  /** The rows of `alerts`. Those that one notification carried share one look at it: a storm is one post of thousands. */
  async alerts(alerts: readonly BookedAlert[]): Promise<AlertRow[]> {
    const looks = new Map<string, Promise<Standing>>();
    const standing = (id: string): Promise<Standing> => {
      const look = looks.get(id) ?? this.#standing(id);
      looks.set(id, look);
      return look;
    };
    return await Promise.all(alerts.map((alert) => this.#alert(alert, standing)));
  }

  async #alert(alert: BookedAlert, standing: (id: string) => Promise<Standing>): Promise<AlertRow> {
    const { notifications, firstAt, lastAt, ...rest } = alert;
    const [newest] = notifications;
    const copies = notifications.reduce((sum, id) => sum + this.#services.activity.copiesOf(id).count, 0);
    return {
      id: alert.fingerprint,
      ...rest,
      labels: shortened(rest.labels),
      annotations: shortened(rest.annotations),
      firstAt: new Date(firstAt).toISOString(),
      lastAt: new Date(lastAt).toISOString(),
      carried: notifications.length,
      copies,
      ...(newest !== undefined && { last: await standing(newest) }),
    };
  }

  notification(entry: RecentEntry): NotificationRow {
    const { outcome } = entry;
    return {
      id: entry.id,
      acceptedAt: new Date(entry.acceptedAt).toISOString(),
      title: entry.title,
      severity: entry.severity,
      status: entry.status,
      ...(entry.endedAt !== undefined && { endedAt: new Date(entry.endedAt).toISOString() }),
      ...(outcome?.status === 'delivered' && { channel: outcome.channel, attempts: outcome.attempts.length }),
      ...(outcome?.status === 'dead' && { reason: outcome.reason, attempts: outcome.attempts.length }),
      ...(outcome?.status === 'coalesced' && { into: outcome.into }),
      copies: this.#services.activity.copiesOf(entry.id).count,
    };
  }

  async #standing(id: string): Promise<Standing> {
    const copies = this.#services.activity.copiesOf(id).count;
    const known = this.#ended.get(id);
    if (known) return { ...known, copies };
    const timeline = await this.#services.delivery.explain(id);
    if (!timeline) return { id, status: 'forgotten', attempts: 0, failed: [], copies };
    const { outcome, status, events } = timeline;
    const channel = outcome?.status === 'delivered' ? outcome.channel : undefined;
    const tried = events.flatMap((event) => (event.type === 'attempted' ? [event.channel] : []));
    const standing = {
      id,
      status,
      channel,
      attempts: tried.length + (channel === undefined ? 0 : 1),
      failed: [...new Set(tried)].filter((name) => name !== channel),
    };
    if (status === 'delivered' || status === 'coalesced') this.#ended.set(id, standing);
    return { ...standing, copies };
  }
}

/** A list needs the beginning of a long text; the alert itself has all of it. */
const LONGEST = 500;

function shortened(texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text]),
  );
}
