import type { Clock } from '@holdfast/clock';
import type { ComponentState, Declared } from './components.js';
import { reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';
import type { State } from './lifecycle-state.js';

/** The health of one component. */
export interface ComponentHealth {
  readonly status: 'ok' | 'degraded';
  readonly state: ComponentState;
  /** What its check threw. */
  readonly message?: string | undefined;
}

/** The health of the whole. */
export interface Health {
  /** `degraded` when a component's check throws; it is still served with 200, taking every replica out helps nobody. */
  readonly status: 'ok' | 'degraded';
  readonly state: State;
  /** The process answers: true as long as anybody can ask. */
  readonly live: boolean;
  /** Requests should be sent here: only in state `ready`. */
  readonly ready: boolean;
  readonly components: Readonly<Record<string, ComponentHealth>>;
}

/** A check runs at most this often, whoever asks how often. */
const CHECK_EVERY_MS = 1_000;

/** Makes `health()`. Checks are synchronous; a throw means degraded, with its message. */
export function createHealth(
  state: () => State,
  components: readonly Declared[],
  clock: Clock,
  emit: (event: LifecycleEvent) => void,
): () => Health {
  const results = new Map<string, { atMs: number; message: string | undefined }>();

  const messageOf = (component: Declared): string | undefined => {
    if (component.check === undefined || component.state !== 'started') return undefined;
    const before = results.get(component.name);
    const now = clock.monotonic();
    if (before && now - before.atMs < CHECK_EVERY_MS) return before.message;
    const message = checked(component);
    results.set(component.name, { atMs: now, message });
    if (message !== undefined && before?.message === undefined)
      emit({ type: 'check.failed', component: component.name, error: message });
    if (message === undefined && before?.message !== undefined)
      emit({ type: 'check.recovered', component: component.name });
    return message;
  };

  return () => {
    const reports: Record<string, ComponentHealth> = {};
    for (const component of components) {
      const message = messageOf(component);
      const unwell = message !== undefined || component.state === 'failed' || component.state === 'stop-failed';
      reports[component.name] = {
        status: unwell ? 'degraded' : 'ok',
        state: component.state,
        ...(message !== undefined && { message }),
      };
    }
    const degraded = Object.values(reports).some(({ status }) => status === 'degraded');
    const now = state();
    return {
      status: degraded ? 'degraded' : 'ok',
      state: now,
      live: true,
      ready: now === 'ready',
      components: reports,
    };
  };
}

function checked(component: Declared): string | undefined {
  try {
    const result = component.check?.(component.value);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return undefined;
    Promise.resolve(result).catch(() => undefined);
    return 'its check returned a promise: checks are synchronous';
  } catch (error) {
    return reasonOf(error);
  }
}
