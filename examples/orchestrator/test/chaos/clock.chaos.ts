import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChaosReport, fakeSlack, tempDir } from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, anotherRound, type PartOptions, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/clock';

const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

/** The wall clock jumps hours forth and back under a stream of webhooks. */
export async function run(options: PartOptions): Promise<ChaosReport> {
  const { seed, log } = options;
  if (!FAKETIME) {
    log('there is no libfaketime (Debian: apt-get install faketime): nothing was run');
    return { runs: 0, violations: [], facts: { skipped: 'no libfaketime' } };
  }
  const began = performance.now();
  const random = randomOf(seed);
  await using dir = await tempDir('chaos');
  await using slack = await fakeSlack();
  const control = join(dir.path, 'offset');
  await writeFile(control, '+0\n');
  const app = await startOrchestrator(join(dir.path, 'data'), {
    SLACK_WEBHOOK_URL: slack.url,
    LOG_LEVEL: 'warn',
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: control,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  await using _proc = app.proc;
  const stream = startStream({ url: () => app.url, senders: 6, random });
  let jumps = 0;
  while (anotherRound(options, jumps, began, 5_000)) {
    await stream.progress(1 + Math.floor(random() * 10));
    const hours = (random() - 0.5) * 2 * (random() < 0.2 ? 24 * 40 : 6);
    await writeFile(control, `${hours >= 0 ? '+' : '-'}${Math.abs(Math.round(hours * 3_600))}\n`);
    jumps++;
  }
  log(`${jumps} jumps, ${stream.acknowledged.size} acknowledged`);
  await stream.stop();
  await writeFile(control, '+0\n');
  const { lost, repeats, dead, law } = await account(stream.acknowledged, slack, app);
  const violations = lost.map((name) => `${name} was answered with 200 and is nowhere`);
  if (law !== undefined) violations.push(`the books do not balance: ${law}`);
  return { runs: jumps, violations, facts: { acknowledged: stream.acknowledged.size, repeats, dead } };
}
