import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ChaosReport, fakeSlack, freePort, tempDir } from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, anotherRound, type PartOptions, pause, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/disk-full';

const call = promisify(execFile);

/** The disk (a small tmpfs) is filled and freed under a stream of webhooks; now and then the process is killed while it is full. */
export async function run(options: PartOptions): Promise<ChaosReport> {
  const { seed, log } = options;
  const began = performance.now();
  const random = randomOf(seed);
  await using dir = await tempDir('chaos');
  try {
    await call('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dir.path]);
  } catch {
    log('mounting a tmpfs is not permitted here: nothing was run');
    return { runs: 0, violations: [], facts: { skipped: 'mount is not permitted' } };
  }
  try {
    await using slack = await fakeSlack();
    const port = await freePort();
    const env = { SLACK_WEBHOOK_URL: slack.url, PORT: String(port), CHANNEL_RETRIES: '1', LOG_LEVEL: 'error' };
    const filler = join(dir.path, 'filler');
    let app = await startOrchestrator(dir.path, env);
    const stream = startStream({ url: () => `http://127.0.0.1:${port}`, senders: 4, random, pauseMs: 40 });
    let fills = 0;
    let restarts = 0;
    while (anotherRound(options, fills, began, 10_000)) {
      await stream.progress(1 + Math.floor(random() * 10));
      await writeFile(filler, Buffer.alloc(32 * 1024 * 1024)).catch(() => undefined);
      fills++;
      await pause(200 + random() * 500);
      const kill = random() < 0.3;
      if (kill) await app.proc.kill();
      await rm(filler, { force: true });
      await pause(300);
      // A store that saw a failed write may stop for good; a supervisor starts it again.
      const ended = await Promise.race([app.proc.exited.then(() => true), pause(10).then(() => false)]);
      const works =
        !ended &&
        (await app.call('/health').then(
          (answer) => answer.json().status === 'ok',
          () => false,
        ));
      if (!works) {
        await app.proc.kill();
        restarts++;
        app = await startOrchestrator(dir.path, env);
      }
    }
    log(`${fills} fills, ${restarts} restarts, ${stream.acknowledged.size} acknowledged`);
    await stream.stop();
    // What was sent while nothing could be written down stays pending until the next start, which sends it again.
    await app.proc.kill();
    app = await startOrchestrator(dir.path, env);
    const { lost, repeats, dead, law } = await account(stream.acknowledged, slack, app);
    await app.proc.kill();
    const violations = lost.map((name) => `${name} was answered with 200 and is nowhere`);
    if (law !== undefined) violations.push(`the books do not balance: ${law}`);
    return {
      runs: fills,
      violations,
      facts: { acknowledged: stream.acknowledged.size, repeats, dead, restarts, ...stream.answers },
    };
  } finally {
    await call('umount', ['-l', dir.path]).catch(() => undefined);
  }
}
