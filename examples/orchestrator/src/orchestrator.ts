import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Step, StoredAlert } from '@holdfast/alert-delivery';
import { createLifecycle, type Lifecycle, type LifecycleEvent } from '@holdfast/graceful-shutdown';
import type { Logger } from 'pino';
import { Activity } from './activity.js';
import { AlertBook } from './alert-book.js';
import { catchUp } from './alert-history.js';
import { createApp } from './app.js';
import { Broadcaster } from './broadcaster.js';
import { chainOf } from './channels.js';
import type { Config } from './config.js';
import { createConsolidation } from './consolidation.js';
import { makeFolder } from './data-folder.js';
import { LiveFeed } from './live-feed.js';
import { createMetrics, type EventSource } from './metrics.js';
import { notificationData } from './notification.js';
import { Rows } from './rows.js';
import { startSchedule } from './schedule.js';
import type { Services } from './services.js';
import { StoreWatch } from './store-watch.js';
import { storesOf } from './stores.js';
import { createStory } from './story.js';

/** The post-mortem's figures for alert history. */
const BOOK = { maxAlerts: 10_000, ttlMs: 48 * 3_600_000 };
/** Alertmanager's own default, where nobody told us another. */
const DEFAULT_REPEAT_MS = 4 * 3_600_000;
/** How often the book looks for what other instances accepted. */
const CATCH_UP_MS = 2_000;

/** The orchestrator, assembled and not yet started. */
export function createOrchestrator(config: Config, log: Logger): Lifecycle {
  const story = createStory(config, log);
  const onLifecycleEvent = (event: LifecycleEvent): void => {
    metrics.event('graceful-shutdown', event.type);
    story.lifecycle(event);
  };
  const lifecycle = createLifecycle({
    drainTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    readinessDelayMs: config.READINESS_DELAY_MS,
    ...(config.HEALTH_PORT !== undefined && { health: { port: config.HEALTH_PORT, host: config.HOST } }),
    onEvent: onLifecycleEvent,
  });
  const counted =
    (source: EventSource) =>
    (event: { type: string }): void => {
      metrics.event(source, event.type);
      story.packageEvent(source, event);
    };

  const stores = storesOf(config);
  const idempotencyStore = new StoreWatch('idempotency', ['run.settled', 'call.replayed']);
  const deliveryStore = new StoreWatch('delivery', ['alert.accepted', 'alert.delivered', 'alert.dead']);
  const steps = chainOf(config, log);
  const activity = new Activity(
    steps.map(({ channel }) => channel.name),
    Date.now(),
  );
  const data = lifecycle.add('data', { start: () => makeFolder(config.DATA_DIR) });
  const dependsOn = [data.name];
  const kb = lifecycle.add('kb', {
    dependsOn,
    start: () => stores.openKb(counted('persistent-kb')),
    check(opened) {
      const { state, cause } = opened.health();
      if (state !== 'ready') throw new Error(`knowledge base is ${state}${cause ? `: ${String(cause)}` : ''}`);
    },
  });
  const idempotency = lifecycle.add('idempotency', {
    dependsOn,
    start: () => {
      const onEvent = counted('idempotency');
      return stores.openIdempotency((event) => {
        idempotencyStore.see(event);
        onEvent(event);
      });
    },
    check: () => idempotencyStore.check(),
  });
  const delivery = lifecycle.add('delivery', {
    dependsOn,
    start: () =>
      stores.openDelivery({
        chain: (alert) => routeOf(alert, steps),
        critical: ({ alert, reason }) =>
          log.error({ notification: alert.id, reason }, 'ALERT REACHED NOBODY: it is in the dead letters'),
        onEvent(event) {
          metrics.deliveryEvent(event);
          deliveryStore.see(event);
          activity.delivery(event, Date.now());
          if ('id' in event && event.type !== 'alert.accepted') services.broadcaster.touch(event.id);
          story.delivery(event);
        },
      }),
    check: () => deliveryStore.check(),
    stop: (opened) => stores.closeDelivery(opened),
  });

  const book = new AlertBook({
    maxAlerts: BOOK.maxAlerts,
    confirmedForMs:
      (config.ALERT_REPEAT_INTERVAL_MS ?? DEFAULT_REPEAT_MS) +
      config.ALERT_GROUP_INTERVAL_MS +
      (config.ALERT_PEERS - 1) * config.ALERT_PEER_TIMEOUT_MS,
  });
  const consolidation = createConsolidation({
    kb: () => kb.value,
    delivery: () => delivery.value,
    memoryPath: join(config.DATA_DIR, 'MEMORY.md'),
    lockTimeoutMs: Math.max(1_000, config.API_TIMEOUT_MS * 0.7),
    onLockEvent: counted('file-lock'),
    onRun(outcome) {
      metrics.consolidated(outcome);
      activity.consolidation = { at: Date.now(), ok: outcome === 'done' };
    },
  });
  const metrics = createMetrics({
    counts: () => (delivery.state === 'started' ? delivery.value.stats() : undefined),
    book: () => book,
    entries: () => (kb.state === 'started' ? kb.value.stats().entries : undefined),
    health: () =>
      Object.fromEntries(
        Object.entries(lifecycle.health().components).map(([name, { status }]) => [name, status === 'ok' ? 1 : 0]),
      ),
  });

  lifecycle.add('alert book', {
    dependsOn: [delivery.name],
    start() {
      const from = Date.now() - BOOK.ttlMs;
      const read = (since: number): Promise<void> =>
        lifecycle.job('alert book', () =>
          catchUp(book, delivery.value, since, ({ id, acceptedAt, payload, fate }) => {
            // What the process before this one accepted belongs to the plot too; its own counts as it comes.
            if (since === from && acceptedAt < activity.startedAt) activity.accepted.add(acceptedAt, Date.now());
            services.broadcaster.carried(
              id,
              payload.alerts.map(({ fingerprint }) => fingerprint),
              Object.keys(fate)[0]!,
            );
          }),
        );
      const failed = (error: unknown): void => log.warn({ err: error }, 'alerts of the past could not be read');
      read(from).catch(failed);
      if (!config.MONGODB_URI) return { close: () => {} };
      return startSchedule(CATCH_UP_MS, () => read(Date.now() - 60_000).catch(failed));
    },
  });
  const scheduler = lifecycle.add('memory scheduler', {
    dependsOn: [kb.name, delivery.name],
    start: () =>
      startSchedule(config.CONSOLIDATE_EVERY_MS, () =>
        lifecycle
          .job('consolidation', () => consolidation.run())
          .then(
            (report) => {
              log.info({ ...report, entries: report.entries.length }, 'consolidated');
            },
            (error: unknown) => {
              log.warn({ err: error }, 'consolidation failed; the next one makes up for it');
            },
          ),
      ),
  });

  lifecycle.add('page feed', {
    dependsOn: ['alert book', kb.name, idempotency.name],
    start: () => services.broadcaster.start(),
  });
  const services: Services = {
    config,
    log,
    book,
    consolidation,
    metrics,
    activity,
    feed: new LiveFeed(),
    health: () => lifecycle.health(),
    get kb() {
      return kb.value;
    },
    get idempotency() {
      return idempotency.value;
    },
    get delivery() {
      return delivery.value;
    },
    job: (name, fn) => lifecycle.job(name, fn),
    draining: lifecycle.signal,
    get rows() {
      return rows;
    },
    get broadcaster() {
      return broadcaster;
    },
  };
  const rows = new Rows(services);
  const broadcaster = new Broadcaster(services);
  lifecycle.http(
    'http',
    createServer(createApp(services, lifecycle, (event) => onLifecycleEvent(event as LifecycleEvent))),
    {
      listen: { port: config.PORT, host: config.HOST },
      dependsOn: [scheduler.name, 'alert book', 'page feed', idempotency.name, kb.name, delivery.name],
    },
  );
  return lifecycle;
}

/** What is no alert has no route: it is dead at once, and kept. */
function routeOf(alert: StoredAlert, steps: readonly Step[]): readonly Step[] {
  return notificationData(alert.data)?.kind === 'rejected' ? [] : steps;
}
