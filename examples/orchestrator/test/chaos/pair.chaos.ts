import {
  type ChaosReport,
  eventually,
  fakeSlack,
  freePort,
  needs,
  startAlertmanager,
  startReplicaSet,
  tempDir,
} from '@holdfast/testkit';
import { startOrchestrator } from '../integration/start-orchestrator.js';
import { account, anotherRound, type PartOptions, pause, randomOf, startStream } from './stream.js';

export const part = 'orchestrator/pair';

/**
 * Two orchestrators on a MongoDB of three nodes, each behind one of a pair of Alertmanagers and a stream of its own. In
 * turns one orchestrator is killed with -9, and the primary steps down.
 */
export async function run(options: PartOptions): Promise<ChaosReport> {
  const { seed, log } = options;
  if (!needs('mongod') || !needs('alertmanager')) {
    log('there is no mongod or no Alertmanager: nothing was run');
    return { runs: 0, violations: [], facts: { skipped: 'no mongod or no Alertmanager' } };
  }
  const began = performance.now();
  const random = randomOf(seed);
  await using set = await startReplicaSet();
  await using dir = await tempDir('chaos');
  await using slack = await fakeSlack();
  const ports = [await freePort(), await freePort()];
  const env = (at: number) => ({
    SLACK_WEBHOOK_URL: slack.url,
    MONGODB_URI: set.uriFor('chaos'),
    PORT: String(ports[at]),
    ALERT_GROUP_INTERVAL_MS: '1000',
    ALERT_PEERS: '2',
    ALERT_PEER_TIMEOUT_MS: '2000',
    LOG_LEVEL: 'warn',
  });
  const apps = await Promise.all(ports.map((_, at) => startOrchestrator(dir.path, env(at))));
  const config = (at: number) => ({ webhookUrl: `http://127.0.0.1:${ports[at]}/webhook/alerts` });
  await using first = await startAlertmanager({ config: config(0), peers: [] });
  await using second = await startAlertmanager({ config: config(1), peers: [first] });
  const stream = startStream({
    url: () => `http://127.0.0.1:${ports[random() < 0.5 ? 0 : 1]}`,
    senders: 6,
    random,
  });
  const managed = new Set<string>();
  let kills = 0;
  let stepDowns = 0;
  let inFlight = 0;
  while (anotherRound(options, kills + stepDowns, began, 25_000)) {
    const name = `alert-${900_000 + managed.size}.`;
    managed.add(name);
    const alert = [{ labels: { alertname: name }, startsAt: new Date().toISOString() }];
    await Promise.allSettled([first.post(alert), second.post(alert)]);
    await stream.progress(5 + Math.floor(random() * 20));
    if (kills <= stepDowns) {
      const at = random() < 0.5 ? 0 : 1;
      // What it may have handed to the channel without having written that down: bounded by the channel's concurrency.
      inFlight += 16;
      await apps[at]!.proc.kill();
      kills++;
      await pause(200 + random() * 500);
      apps[at] = await startOrchestrator(dir.path, env(at));
    } else {
      await set.stepDown();
      stepDowns++;
    }
    log(`${kills} kills, ${stepDowns} step-downs, ${stream.acknowledged.size} acknowledged`);
  }
  await stream.stop();
  // Alertmanager goes on until somebody answers, so these are delivered whoever died.
  await eventually(() => [...managed].every((name) => slack.requests.some(({ body }) => body.includes(name))), {
    timeoutMs: 60_000,
    everyMs: 200,
  }).catch(() => undefined);
  const { lost, repeats, dead, law } = await account(new Set([...stream.acknowledged, ...managed]), slack, apps[0]!);
  await Promise.all(apps.map(({ proc }) => proc.kill()));
  const violations = lost.map((name) => `${name} was acknowledged and is nowhere`);
  if (law !== undefined) violations.push(`the books do not balance: ${law}`);
  return {
    runs: kills + stepDowns,
    violations,
    facts: {
      acknowledged: stream.acknowledged.size,
      managed: managed.size,
      repeats,
      'in flight at kills': inFlight,
      dead,
    },
  };
}
