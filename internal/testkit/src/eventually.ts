/** How long and how often {@link eventually} looks. */
export interface EventuallyOptions {
  /** Milliseconds until it gives up. @defaultValue 10_000 */
  timeoutMs?: number | undefined;
  /** Milliseconds between two looks. @defaultValue 25 */
  everyMs?: number | undefined;
}

/**
 * Calls `fn` until it neither throws nor gives `false` or `undefined`, and resolves with what it gave.
 *
 * @throws the last error of `fn`, or one that says what it kept giving, once `timeoutMs` is over.
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const { timeoutMs = 10_000, everyMs = 25 } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    let last: { value: T } | { error: unknown };
    try {
      const value = await fn();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      last = { value };
    } catch (error) {
      last = { error };
    }
    if (performance.now() >= end) {
      if ('error' in last) throw last.error;
      throw new Error(`still ${String(last.value)} after ${timeoutMs} ms: ${fn.toString().slice(0, 200)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
