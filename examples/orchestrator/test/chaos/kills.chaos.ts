import { fileURLToPath } from 'node:url';
import { type ChaosReport, fakeSlack, freePort, runProcess, tempDir } from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, anotherRound, type PartOptions, pause, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/kills';

const KILLS = 200;
const SENDERS = 8;

/** kill -9 at random moments under a stream of webhooks; then every alert that was answered with 200 is delivered or dead. */
export async function run(options: PartOptions): Promise<ChaosReport> {
  const { seed, log, rounds } = options;
  const began = performance.now();
  // What is built starts in a third of the time; the short form takes the source as it is.
  const main = rounds === undefined ? await built() : undefined;
  const random = randomOf(seed);
  await using dir = await tempDir('chaos');
  await using slack = await fakeSlack();
  // One in twenty fails, so that retries and dead letters take part.
  slack.respond((_, n) => (n % 20 === 0 ? { status: 500 } : n % 33 === 0 ? { reset: 'after-request' } : {}));
  const port = await freePort();
  const env = { SLACK_WEBHOOK_URL: slack.url, PORT: String(port), CHANNEL_RETRIES: '1', LOG_LEVEL: 'warn' };
  const start = () => startOrchestrator(dir.path, env, main);
  let app = await start();
  const stream = startStream({ url: () => `http://127.0.0.1:${port}`, senders: SENDERS, random });
  let kills = 0;
  while (kills < KILLS && anotherRound(options, kills, began, 8_000)) {
    await stream.progress(1 + Math.floor(random() * 20));
    await pause(random() * 100);
    await app.proc.kill();
    kills++;
    app = await start();
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

async function built(): Promise<URL> {
  const script = fileURLToPath(new URL('../../../../scripts/ensure-built.mjs', import.meta.url));
  await using build = runProcess(process.execPath, [script], {
    cwd: fileURLToPath(new URL('../../../../', import.meta.url)),
  });
  const { code } = await build.exited;
  if (code !== 0) throw new Error(`the orchestrator can not be built:\n${build.stderr}`);
  return new URL('../../dist/main.js', import.meta.url);
}
