import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChaosOptions, type ChaosReport, runNode, tempDir } from '@holdfast/testkit';

export const part = 'alert-delivery/history';

const fixture = fileURLToPath(new URL('../fixtures/history.ts', import.meta.url));
/** The archive gives its files back whole: two that are full, and the one that is being written. */
const SLACK_BYTES = 3 * 4 * 1024 * 1024;

/** What one run left. */
export interface Left {
  readonly accepted: number;
  readonly delivered: number;
  readonly lawHolds: boolean;
  readonly peak: number;
  readonly remembered: number;
  readonly newest: number | undefined;
  readonly oldest: string | undefined;
}

/** 1,000,000 alerts, or as many as fit in the time: memory and disk are at their bounds, and the newest can be explained whole. */
export async function run({ seconds, log }: ChaosOptions): Promise<ChaosReport> {
  // About 8,000 a second on two shared cores.
  const alerts = Math.min(1_000_000, Math.max(20_000, (seconds - 10) * 6000));
  return await history(alerts, 10_000, 8 * 1024 * 1024, seconds, log);
}

export async function history(
  alerts: number,
  maxEntries: number,
  maxBytes: number,
  seconds: number,
  log: (line: string) => void,
): Promise<ChaosReport> {
  await using dir = await tempDir();
  const args = [dir.path, String(alerts), String(maxEntries), String(maxBytes)];
  await using child = runNode(fixture, { args, nodeArgs: ['--expose-gc'] });
  const [, json] = await child.waitFor(/^report (.*)$/m, (seconds + 60) * 1000);
  await child.exited;
  const left = JSON.parse(json!) as Left;
  const ended = join(dir.path, 'ended');
  const sizes = await Promise.all((await readdir(ended)).map(async (name) => (await stat(join(ended, name))).size));
  const diskBytes = sizes.reduce((sum, size) => sum + size, 0);
  log(JSON.stringify({ ...left, diskBytes }));
  const violations: string[] = [];
  const say = (bad: boolean, what: string): void => void (bad && violations.push(what));
  say(left.accepted !== alerts || left.delivered !== alerts || !left.lawHolds, `counts: ${json}`);
  say(left.remembered > maxEntries, `${left.remembered} alerts are remembered, the bound is ${maxEntries}`);
  say(diskBytes > maxBytes + SLACK_BYTES, `${diskBytes} bytes are on disk, the bound is ${maxBytes}`);
  say(left.peak > 60 * 1024 * 1024, `the heap grew by ${left.peak} bytes`);
  say(left.newest !== 200, 'the newest alert can not be explained whole');
  say(left.oldest !== undefined, 'the oldest alert is still remembered');
  return { runs: alerts, violations, facts: { remembered: left.remembered, diskBytes, heapBytes: left.peak } };
}
