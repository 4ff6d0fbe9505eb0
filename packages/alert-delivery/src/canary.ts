import { randomUUID } from 'node:crypto';
import type { Clock } from '@holdfast/clock';
import type { StoredAlert } from './alert.js';
import type { Dispatch } from './dispatch.js';
import type { DeliveryEvent } from './events.js';
import type { SelfAlerts } from './self-alert.js';

/** How the canaries ended. Apart from the six counts of alerts. */
export interface Canaries {
  delivered: number;
  failed: number;
}

/**
 * Sends a canary through every step on schedule, so that a revoked webhook is found before it is needed. Each step gets its
 * own; a paging channel gets one only when `paging` says so. A channel whose canary fails is told of once, through the
 * others, until one arrives again. Returns its end.
 */
export function startCanary(options: {
  everyMs: number;
  paging: boolean;
  clock: Clock;
  dispatch: Dispatch;
  selfAlerts: SelfAlerts;
  emit: (event: DeliveryEvent) => void;
  canaries: Canaries;
}): () => void {
  const { everyMs, paging, clock, dispatch, selfAlerts, emit, canaries } = options;
  let over = false;
  const one = async (alert: StoredAlert, step: ReturnType<Dispatch['routeOf']>[number]): Promise<void> => {
    const channel = step.channel.name;
    const end = await dispatch.sendApart(alert, [step]);
    if (over || end.kind !== 'ended') return;
    if (end.end.type !== 'dead') {
      selfAlerts.worksAgain(channel);
      canaries.delivered++;
      emit({ type: 'canary.delivered', channel });
      return;
    }
    canaries.failed++;
    emit({ type: 'canary.failed', channel, reason: end.end.reason });
    selfAlerts.raise(channel, 'its canary failed');
  };
  const fly = (): void => {
    cancel = clock.schedule(everyMs, fly);
    const alert: StoredAlert = Object.freeze({
      id: `canary-${randomUUID()}`,
      severity: 'info',
      title: 'canary: this channel works, nothing is wrong',
    });
    for (const step of dispatch.routeOf(alert)) if (paging || !step.channel.paging) void one(alert, step);
  };
  let cancel = clock.schedule(everyMs, fly);
  return () => {
    over = true;
    cancel();
  };
}
