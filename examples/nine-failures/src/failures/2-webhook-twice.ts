import { setTimeout as sleep } from 'node:timers/promises';
import { fakeSlack, tcpProxy, tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { post, serve } from '../program.js';

/**
 * Four deliveries as Alertmanager makes them: the answer is lost and the same bytes come again; both peers of a pair
 * deliver at once; Slack fails once, so that 500 is answered and retried; the first alert resolves. Each belongs in Slack once.
 */
export const webhookTwice: Failure = {
  number: 2,
  title: 'a retried webhook posts to Slack twice',
  before: [
    { program: '2-webhook-without-key', from: 'post-mortem, src/index.ts' },
    { program: '2-webhook-hash-of-the-body', from: "post-mortem's minimal fix, src/middleware/idempotency.ts" },
  ],
  after: { program: '2-webhook-lane', from: '@holdfast/idempotency' },
  async run(program) {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const took: string[] = [];
    let failOnce = '';
    slack.respond(({ body }) => {
      const { text } = JSON.parse(body) as { text: string };
      if (text === failOnce) {
        failOnce = '';
        return { status: 500, body: 'rollup_error' };
      }
      took.push(text);
      return { delayMs: 150 };
    });
    await using server = await serve(program, { SLACK_WEBHOOK_URL: slack.url, DATA_DIR: dir.path });
    await using proxy = await tcpProxy(server.port);
    const direct = `${server.url}/webhook/alerts`;

    proxy.cutNextReply();
    await deliver(`http://127.0.0.1:${proxy.port}/webhook/alerts`, delivery('lost-answer', 'firing'));
    await Promise.all([deliver(direct, delivery('pair', 'firing')), deliver(direct, delivery('pair', 'firing'))]);
    failOnce = 'firing slack-down';
    await deliver(direct, delivery('slack-down', 'firing'));
    await deliver(direct, delivery('lost-answer', 'resolved'));

    const expected = ['firing lost-answer', 'firing pair', 'firing slack-down', 'resolved lost-answer'];
    const times = expected.map((text) => took.filter((other) => other === text).length);
    return {
      ...NOTHING,
      acknowledged: expected.length,
      lost: times.filter((count) => count === 0).length,
      doubled: times.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
    };
  },
};

/** As Alertmanager: again, with the same bytes, until it hears a 2xx; a 4xx ends it. */
async function deliver(url: string, body: unknown): Promise<void> {
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const status = await post(url, body);
    if (status >= 200 && status < 500) return;
    await sleep(300);
  }
}

function delivery(group: string, status: 'firing' | 'resolved'): unknown {
  const startsAt = '2026-01-01T00:00:00Z';
  const endsAt = status === 'resolved' ? '2026-01-01T00:05:00Z' : '0001-01-01T00:00:00Z';
  return {
    version: '4',
    receiver: 'drill',
    status,
    groupKey: group,
    truncatedAlerts: 0,
    externalURL: 'http://alertmanager.example:9093',
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    alerts: [{ status, labels: { alertname: group }, annotations: {}, startsAt, endsAt, fingerprint: group }],
  };
}
