import { type ChaosReport, fakeSlack, tcpProxy, tempDir } from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, anotherRound, type PartOptions, pause, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/sockets';

/** Cuts, stalls and refuses connections on both sides of the orchestrator: from its senders, and to its channel. */
export async function run(options: PartOptions): Promise<ChaosReport> {
  const { seed, log } = options;
  const began = performance.now();
  const random = randomOf(seed);
  await using dir = await tempDir('chaos');
  await using slack = await fakeSlack();
  await using toSlack = await tcpProxy(slack.port);
  const webhook = new URL(slack.url);
  webhook.port = String(toSlack.port);
  const app = await startOrchestrator(dir.path, {
    SLACK_WEBHOOK_URL: webhook.href,
    CHANNEL_TIMEOUT_MS: '1000',
    CHANNEL_RETRIES: '3',
    LOG_LEVEL: 'warn',
  });
  await using _proc = app.proc;
  await using toApp = await tcpProxy(app.port);
  const stream = startStream({ url: () => `http://127.0.0.1:${toApp.port}`, senders: 8, random });
  let cuts = 0;
  while (anotherRound(options, cuts, began, 6_000)) {
    await stream.progress(1 + Math.floor(random() * 10));
    const side = random() < 0.6 ? toApp : toSlack;
    const kind = Math.floor(random() * 4);
    cuts++;
    if (kind === 0) side.cutNextReply(1 + Math.floor(random() * 3));
    else if (kind === 1) side.dropAll();
    else if (kind === 2) {
      side.stall();
      await pause(random() * 600);
      side.resume();
    } else {
      await side.refuse();
      side.dropAll();
      await pause(random() * 300);
      await side.accept();
    }
  }
  log(`${cuts} cuts, ${stream.acknowledged.size} acknowledged`);
  await stream.stop();
  const { lost, repeats, dead, law } = await account(stream.acknowledged, slack, app);
  const violations = lost.map((name) => `${name} was answered with 200 and is nowhere`);
  if (law !== undefined) violations.push(`the books do not balance: ${law}`);
  return {
    runs: cuts,
    violations,
    facts: { acknowledged: stream.acknowledged.size, repeats, dead, ...stream.answers },
  };
}
