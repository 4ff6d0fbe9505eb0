/** Exit codes, fixed. */
export const EXIT = {
  clean: 0,
  /** A start failed, a stop failed or overran, or the drain timed out. */
  unclean: 1,
  /** An uncaught exception or unhandled rejection, after a drain (EX_SOFTWARE of sysexits.h). */
  uncaught: 70,
} as const;

/** 128 + the signal's number, as a shell reports it: SIGINT 130, SIGTERM 143. */
export function forcedExitCode(signal: string): number {
  return 128 + (SIGNAL_NUMBERS[signal] ?? 0);
}

const SIGNAL_NUMBERS: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR2: 12, SIGTERM: 15 };

/** The worse of two exit codes: uncaught, then any failure, then clean. */
export function worseExitCode(one: number, other: number): number {
  if (one === EXIT.uncaught || other === EXIT.uncaught) return EXIT.uncaught;
  return one === EXIT.clean ? other : one;
}
