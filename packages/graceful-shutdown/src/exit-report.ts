import type { Lifecycle } from './contract.js';
import { reasonOf } from './errors.js';
import { EXIT } from './exit-code.js';

/** The shutdown as the process registry wants it: never rejects, and what went wrong is told. */
export function exitCodeOf(
  lifecycle: Lifecycle,
  tellUser: (line: string) => void = () => undefined,
): (reason: string) => Promise<number> {
  return (reason) =>
    lifecycle.shutdown(reason).then(
      (report) => {
        if (report.drainTimedOut) tellUser(`shutdown: the drain timed out after ${report.drainMs} ms`);
        for (const job of report.abandonedJobs) tellUser(`shutdown: job '${job}' was abandoned`);
        for (const { name, error } of report.steps) if (error !== undefined) tellUser(`shutdown: '${name}': ${error}`);
        return report.exitCode;
      },
      (error: unknown) => {
        tellUser(`shutdown failed: ${reasonOf(error)}`);
        return EXIT.unclean;
      },
    );
}

/** Writes a line to stderr: the only place of the package that does, for `run()`. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
