/** What a chaos part is given. */
export interface ChaosOptions {
  /** It stops within this time. */
  seconds: number;
  /** All its random choices come from it; the same seed makes the same choices. */
  seed: number;
  log(line: string): void;
}

/** What a chaos part found. Any violation is a failure. */
export interface ChaosReport {
  runs: number;
  violations: string[];
  facts?: Record<string, string | number> | undefined;
}
