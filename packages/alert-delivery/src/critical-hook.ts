import { AsyncLocalStorage } from 'node:async_hooks';
import type { CriticalFailure } from './options.js';

/** True inside the hook and in all that it starts: alerts from there call it no more. */
const inside = new AsyncLocalStorage<true>();

/**
 * Calls the hook for a dead alert, once. What it throws goes to `onFailed`; a hook that hangs holds nothing up; and what a
 * hook sends may itself die without calling the hook again.
 */
export function callHook(
  hook: ((failure: CriticalFailure) => unknown) | undefined,
  failure: CriticalFailure,
  onFailed: (error: unknown) => void,
): void {
  if (!hook || inside.getStore()) return;
  inside.run(true, () => {
    try {
      void Promise.resolve(hook(failure)).catch(onFailed);
    } catch (error) {
      onFailed(error);
    }
  });
}
