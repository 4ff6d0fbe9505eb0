import { fileURLToPath } from 'node:url';
import { type ChaosOptions, type ChaosReport, runNode, tempDir } from '@holdfast/testkit';

export const part = 'alert-delivery/storm';

const fixture = fileURLToPath(new URL('../fixtures/storm.ts', import.meta.url));
const HEAP_BYTES = 30 * 1024 * 1024;

/** 100,000 alerts at a channel that hangs: all accounted for, in a bounded heap. The delay of the event loop is a fact beside it. */
export async function run({ seconds, log }: ChaosOptions): Promise<ChaosReport> {
  return await storm(100_000, 'wait', seconds + 60, log);
}

export async function storm(
  alerts: number,
  whenFull: 'wait' | 'coalesce',
  seconds: number,
  log: (line: string) => void,
): Promise<ChaosReport> {
  await using dir = await tempDir();
  await using child = runNode(fixture, {
    args: ['file', dir.path, String(alerts), whenFull],
    nodeArgs: ['--expose-gc'],
  });
  const [, json] = await child.waitFor(/^report (.*)$/m, seconds * 1000);
  log(json!);
  const report = JSON.parse(json!) as Readonly<Record<string, number>>;
  const { accepted = 0, delivered = 0, coalesced = 0, dead = 0, pending = 0, evicted = 0, peak = 0 } = report;
  const violations: string[] = [];
  if (accepted !== alerts || pending !== 0) violations.push(`not all ended: ${json}`);
  if (accepted !== delivered + coalesced + dead + pending + evicted) violations.push(`unaccounted for: ${json}`);
  if (peak > HEAP_BYTES) violations.push(`the heap grew by ${peak} bytes`);
  return {
    runs: alerts,
    violations,
    facts: { peak, loopP99Ms: Math.round(report.p99 ?? 0), ms: Math.round(report.ms ?? 0) },
  };
}
