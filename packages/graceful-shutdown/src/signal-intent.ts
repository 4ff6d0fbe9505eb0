/** Two signals closer than this are one: npm, npx and tsx forward what the terminal has already sent to the group. */
const DUPLICATE_WINDOW_MS = 100;

/** What a signal means, given when the first one came (`undefined`: this is the first). Pure. */
export function signalIntent(firstMs: number | undefined, nowMs: number): 'shutdown' | 'duplicate' | 'force' {
  if (firstMs === undefined) return 'shutdown';
  return nowMs - firstMs < DUPLICATE_WINDOW_MS ? 'duplicate' : 'force';
}
