/** Two signals closer than this are one: npm, npx and tsx forward what the terminal has already sent to the group. */
export const DUPLICATE_WINDOW_MS = 100;

/**
 * No signal came yet; one came just now; one came a while ago. The window is closed by a timer and one more look at the event
 * loop: a process that was kept from running sees two signals late and together, however close they were sent.
 */
export type SignalPhase = 'none' | 'just-now' | 'a-while-ago';

/** What a signal means. Pure. */
export function signalIntent(phase: SignalPhase): 'shutdown' | 'duplicate' | 'force' {
  switch (phase) {
    case 'none':
      return 'shutdown';
    case 'just-now':
      return 'duplicate';
    case 'a-while-ago':
      return 'force';
  }
}
