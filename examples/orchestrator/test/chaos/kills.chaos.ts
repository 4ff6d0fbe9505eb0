import { type ChaosOptions, type ChaosReport, fakeSlack, freePort, tempDir } from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, pause, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/kills';

const KILLS = 200;
const SENDERS = 8;

/** kill -9 at random moments under a stream of webhooks; then every alert that was answered with 200 is delivered or dead. */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const began = performance.now();
  const random = randomOf(seed);
  await using dir = await tempDir('chaos');
  await using slack = await fakeSlack();
  // One in twenty fails, so that retries and dead letters take part.
  slack.respond((_, n) => (n % 20 === 0 ? { status: 500 } : n % 33 === 0 ? { reset: 'after-request' } : {}));
  const port = await freePort();
  const env = { SLACK_WEBHOOK_URL: slack.url, PORT: String(port), CHANNEL_RETRIES: '1', LOG_LEVEL: 'warn' };
  let app = await startOrchestrator(dir.path, env);
  const stream = startStream({ url: () => `http://127.0.0.1:${port}`, senders: SENDERS, random });
  let kills = 0;
  // A start takes a second or two, and the account at the end needs its time.
  while (kills < KILLS && performance.now() - began < seconds * 1000 - Math.max(8_000, seconds * 150)) {
    await pause(50 + random() * 400);
    await app.proc.kill();
    kills++;
    app = await startOrchestrator(dir.path, env);
    if (kills % 20 === 0) log(`${kills} kills, ${stream.acknowledged.size} acknowledged`);
  }
  await stream.stop();
  slack.respond({});
  const { lost, repeats, dead, law } = await account(stream.acknowledged, slack, app);
  await app.proc.kill();
  const violations = lost.map((name) => `${name} was answered with 200 and is nowhere`);
  if (law !== undefined) violations.push(`the books do not balance: ${law}`);
  // Repeats come from what was on its way to the channel at a kill, and from answers that the provider cut.
  if (repeats > kills * SENDERS * 2 + stream.acknowledged.size / 10) violations.push(`${repeats} repeats are too many`);
  return { runs: kills, violations, facts: { acknowledged: stream.acknowledged.size, repeats, dead } };
}
