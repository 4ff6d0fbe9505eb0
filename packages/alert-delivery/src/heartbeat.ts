import type { Clock } from '@holdfast/clock';
import { reasonOf } from './errors.js';
import type { DeliveryEvent } from './events.js';

/** A monitor that has not answered by then will be asked again at the next beat. */
const BEAT_TIMEOUT_MS = 10_000;

/** How often the monitor heard of us, and how often it did not. */
export interface Beats {
  sent: number;
  failed: number;
  /** Not sent, because something is wrong here: the monitor is to notice. */
  withheld: number;
}

/**
 * The dead-man switch: asks `url` at once and then every `everyMs`, as long as `healthy` says so. Silence is the alarm, so a
 * beat is never made up for, and a beat that fails is an event and nothing more. Returns its end.
 */
export function startHeartbeat(options: {
  url: string;
  everyMs: number;
  clock: Clock;
  healthy: () => boolean;
  redact: (text: string) => string;
  emit: (event: DeliveryEvent) => void;
  beats: Beats;
}): () => void {
  const { url, everyMs, clock, healthy, redact, emit, beats } = options;
  let over = false;
  let cancelNext: (() => void) | undefined;
  let controller: AbortController | undefined;
  const ask = async (): Promise<void> => {
    const { signal } = (controller = new AbortController());
    const cancel = clock.schedule(BEAT_TIMEOUT_MS, () => controller?.abort(new Error('no answer')));
    try {
      const response = await globalThis.fetch(url, { signal, redirect: 'manual' });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the monitor answered ${response.status}`);
      beats.sent++;
      emit({ type: 'heartbeat.sent' });
    } catch (error) {
      if (over) return;
      beats.failed++;
      emit({ type: 'heartbeat.failed', reason: redact(reasonOf(error)) });
    } finally {
      cancel();
    }
  };
  const beat = (): void => {
    cancelNext = clock.schedule(everyMs, beat);
    if (healthy()) void ask();
    else {
      beats.withheld++;
      emit({ type: 'heartbeat.withheld' });
    }
  };
  beat();
  return () => {
    over = true;
    cancelNext?.();
    controller?.abort(new Error('delivery is closed'));
  };
}
