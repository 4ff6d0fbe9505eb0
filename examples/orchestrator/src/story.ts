import type { DeliveryEvent } from '@holdfast/alert-delivery';
import type { LifecycleEvent } from '@holdfast/graceful-shutdown';
import type { Logger } from 'pino';
import type { Config } from './config.js';

/** Turns the packages' events into log lines that tell an operator what happens. */
export interface Story {
  lifecycle(event: LifecycleEvent): void;
  delivery(event: DeliveryEvent): void;
  packageEvent(source: string, event: { type: string }): void;
}

/** The components that hold what must not be lost. */
const PERSISTENCE = new Set(['data', 'kb', 'idempotency', 'delivery']);

/** Creates the story of one process. */
export function createStory(config: Config, log: Logger): Story {
  return {
    lifecycle(event) {
      switch (event.type) {
        case 'component.started':
          log.debug({ component: event.component, ms: event.ms }, 'started');
          return;
        case 'component.start_failed':
          if (PERSISTENCE.has(event.component)) {
            process.stderr.write(
              `[orchestrator] ❌ CRITICAL: Failed to initialize persistence layer: ${event.component}: ${event.error}\n` +
                '[orchestrator] It does not start without its stores: check the database (MONGODB_URI) or the folder (DATA_DIR) and try again.\n',
            );
          }
          return;
        case 'server.listening':
          greet(config, event.address, event.port);
          log.info({ address: event.address, port: event.port }, '[orchestrator] listening');
          return;
        case 'lifecycle.shutdown_requested':
          log.info(`[orchestrator] Received ${event.reason}, starting graceful shutdown...`);
          return;
        case 'drain.started':
        case 'drain.ended':
          log.info(event, '[orchestrator] drain');
          return;
        case 'component.stopped':
          log.info({ ms: event.ms }, `[orchestrator] ${stoppedPhrase(event.component)}`);
          return;
        case 'lifecycle.state_changed':
          if (event.to === 'stopped') log.info('[orchestrator] Graceful shutdown complete');
          return;
        case 'component.stop_failed':
        case 'component.stop_overran':
        case 'connection.cut':
        case 'check.failed':
        case 'deadline.exceeded':
        case 'job.failed':
        case 'job.abandoned':
          log.warn(event, event.type);
          return;
        default:
          log.debug(event, event.type);
      }
    },
    delivery(event) {
      const { type, ...facts } = event;
      // One name for it in every line: all of them together are the story of a notification.
      const { id, ...others } = 'id' in facts ? facts : { id: undefined, ...facts };
      const told = id === undefined ? others : { notification: id, ...others };
      switch (type) {
        case 'alert.accepted':
        case 'alert.delivered':
        case 'alert.coalesced':
        case 'alert.recovered':
        case 'alert.replayed':
        case 'delivery.opened':
          log.info(told, type);
          return;
        case 'attempt.failed':
        case 'alert.escalated':
        case 'alert.dead':
        case 'channel.opened':
        case 'channel.throttled':
        case 'dead-letter.evicted':
        case 'store.failed':
        case 'mirror.failed':
          log.warn(told, type);
          return;
        case 'law.violated':
        case 'critical-hook.failed':
          log.error(told, type);
          return;
        default:
          log.debug(told, type);
      }
    },
    packageEvent(source, event) {
      log.debug({ package: source, ...event }, event.type);
    },
  };
}

/** `[orchestrator] Database closed` and `Memory scheduler stopped` are phrases that people grep for. */
function stoppedPhrase(component: string): string {
  if (component === 'kb') return 'Database closed';
  return `${component[0]?.toUpperCase()}${component.slice(1)} stopped`;
}

/** Where it listens, and one line to try. Plain text for people, before the first JSON line. */
function greet(config: Config, address: string, port: number): void {
  const host = address.includes(':') ? `[${address}]` : address;
  const url = `http://${host}:${port}`;
  const token = config.API_TOKEN ? ' -H "Authorization: Bearer $API_TOKEN"' : '';
  const body =
    '{"alerts":[{"labels":{"alertname":"Hello","severity":"warning"},"annotations":{"summary":"it works"}}]}';
  const where = config.MONGODB_URI ? 'MongoDB' : config.DATA_DIR;
  process.stdout.write(
    `Holdfast orchestrator listens on ${url}, keeps its state in ${where}\n` +
      `Try: curl -s ${url}/webhook/alerts${token} -d '${body}'\n`,
  );
}
