import { channel } from 'node:diagnostics_channel';

/** What `createEmitter` needs to know of an event: a dotted name in the past tense. */
export interface ObservedEvent {
  readonly type: string;
}

/**
 * Returns `emit(event)` for the package `name`: it calls `onEvent`, and publishes the same object on the
 * `node:diagnostics_channel` `holdfast.<name>`.
 *
 * Events observe: a listener that throws never changes an outcome. Its error becomes a process warning, once per emitter.
 */
export function createEmitter<E extends ObservedEvent>(
  name: string,
  onEvent?: ((event: E) => void) | undefined,
): (event: E) => void {
  const published = channel(`holdfast.${name}`);
  let warned = false;
  return (event) => {
    if (published.hasSubscribers) published.publish(event);
    if (!onEvent) return;
    try {
      onEvent(event);
    } catch (error) {
      if (warned) return;
      warned = true;
      process.emitWarning(`a holdfast ${name} onEvent listener threw at '${event.type}': ${String(error)}`, {
        type: 'HoldfastListenerWarning',
      });
    }
  };
}
