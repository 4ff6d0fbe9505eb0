/** Where a lifecycle stands. */
export type State = 'idle' | 'starting' | 'ready' | 'draining' | 'stopping' | 'stopped' | 'failed';

/** What can happen to a lifecycle. */
export type Happening = 'start' | 'started' | 'start-failed' | 'shutdown' | 'drained' | 'stopped';

/**
 * The state after `happening`, or `undefined` where it can't happen (starting twice) or changes nothing (a second shutdown).
 *
 * `draining` begins with the signal, `readinessDelayMs` included. A failed start undoes what had started in state `failed`;
 * a shutdown while starting undoes in state `stopping`, there is nothing to drain.
 */
export function nextState(state: State, happening: Happening): State | undefined {
  switch (state) {
    case 'idle':
      return happening === 'start' ? 'starting' : happening === 'shutdown' ? 'stopped' : undefined;
    case 'starting':
      if (happening === 'started') return 'ready';
      if (happening === 'start-failed') return 'failed';
      return happening === 'shutdown' ? 'stopping' : undefined;
    case 'ready':
      return happening === 'shutdown' ? 'draining' : undefined;
    case 'draining':
      return happening === 'drained' ? 'stopping' : undefined;
    case 'stopping':
      return happening === 'stopped' ? 'stopped' : undefined;
    case 'stopped':
    case 'failed':
      return undefined;
  }
}
