import type { DeliveryEvent } from '@holdfast/alert-delivery';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { AlertBook } from './alert-book.js';

/** The packages whose events are counted. */
export type EventSource = 'alert-delivery' | 'file-lock' | 'graceful-shutdown' | 'idempotency' | 'persistent-kb';

/** What `/metrics` is made of. No label ever holds anything that came in a payload. */
export interface Metrics {
  event(source: EventSource, type: string): void;
  deliveryEvent(event: DeliveryEvent): void;
  webhookAlerts(what: 'accepted' | 'duplicate' | 'rejected', count: number): void;
  webhookRefused(): void;
  consolidated(outcome: 'done' | 'failed'): void;
  text(): Promise<string>;
  readonly contentType: string;
}

/** What is read at the moment of a scrape. */
export interface Readings {
  /** The delivery store's counts, or undefined while it is not open. */
  counts(): object | undefined;
  book(): AlertBook;
  entries(): number | undefined;
  /** 1 ok, 0 not, for each component. */
  health(): Record<string, number>;
}

/** Creates the metrics on a registry of their own. */
export function createMetrics(readings: Readings): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `holdfast_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, label: string, read: () => Record<string, number>): Gauge =>
    new Gauge({
      name: `holdfast_${name}`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [key, value] of Object.entries(read())) this.set({ [label]: key }, value);
      },
    });

  const events = counter('events_total', 'Events of the packages, by type', ['package', 'type']);
  const webhookAlerts = counter(
    'webhook_alerts_total',
    'Alerts in webhooks: accepted, duplicate (absorbed), rejected',
    ['what'],
  );
  const refused = counter('webhook_refused_total', 'Webhooks that were not JSON or had no alerts', []);
  const attempts = counter('delivery_attempts_total', 'Attempts to tell somebody, by channel and verdict', [
    'channel',
    'verdict',
  ]);
  const consolidations = counter('consolidations_total', 'Consolidation runs', ['outcome']);
  gauge(
    'notifications',
    'Notifications by fate; accepted = delivered + coalesced + dead + pending + evicted',
    'fate',
    () => numbers(readings.counts()),
  );
  gauge('alerts', 'Alerts of the recent past by status', 'status', () => readings.book().counts(Date.now()));
  gauge('alerts_evicted', 'Alerts let go to keep the bound', 'from', () => ({ book: readings.book().evicted }));
  gauge('knowledge_entries', 'Entries in the knowledge base', 'in', () => numbers({ kb: readings.entries() }));
  gauge('component_ok', '1 when the component is as it should be', 'component', readings.health);

  return {
    event: (source, type) => events.inc({ package: source, type }),
    deliveryEvent(event) {
      events.inc({ package: 'alert-delivery', type: event.type });
      if (event.type === 'attempt.failed') attempts.inc({ channel: event.channel, verdict: event.verdict });
      if (event.type === 'alert.delivered') attempts.inc({ channel: event.channel, verdict: 'delivered' });
    },
    webhookAlerts: (what, count) => webhookAlerts.inc({ what }, count),
    webhookRefused: () => refused.inc(),
    consolidated: (outcome) => consolidations.inc({ outcome }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** The members that are numbers. */
function numbers(given: object | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(given ?? {}).filter((pair): pair is [string, number] => typeof pair[1] === 'number'),
  );
}
