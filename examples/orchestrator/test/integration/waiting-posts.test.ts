import {
  eventually,
  type FakeProvider,
  fakeSlack,
  needs,
  startAlertmanager,
  type TcpProxy,
  tcpProxy,
  tempDir,
} from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

type App = Awaited<ReturnType<typeof startOrchestrator>>;

/** A post of one alert; `bytes` of annotation make it a large one. */
const post = (name: string, bytes = 0) => ({
  version: '4',
  groupKey: `{}:{alertname="${name}"}`,
  receiver: 'r',
  externalURL: 'http://am',
  alerts: [
    { status: 'firing', labels: { alertname: name }, ...(bytes > 0 && { annotations: { why: 'x'.repeat(bytes) } }) },
  ],
});

/** Messages about `name`, each counted once. */
const told = (slack: FakeProvider, name: string): number =>
  slack.requests.filter(({ body }) => body.includes(name)).length;

/** An orchestrator whose Slack hangs behind a proxy, and whose queue is full: five posts of 14 MB are its 64 MiB. */
async function startFull(dir: string, env: Record<string, string>, proxy: TcpProxy, slack: FakeProvider) {
  slack.respond({ hang: true });
  const url = slack.url.replace(`:${slack.port}`, `:${proxy.port}`);
  const app = await startOrchestrator(dir, { SLACK_WEBHOOK_URL: url, CHANNEL_TIMEOUT_MS: '600000', ...env });
  for (let n = 0; n < 5; n++) {
    const answer = await app.post('/webhook/alerts', post(`Filler${n}.`, 14_000_000));
    expect([answer.status, answer.json().accepted]).toEqual([200, 1]);
  }
  return app;
}

/** Slack answers again, at once also those that hang. */
function setFree(slack: FakeProvider, proxy: TcpProxy): void {
  slack.respond({});
  proxy.dropAll();
}

/** Sends until it is answered with 200, as Alertmanager does. */
async function sendUntilTaken(app: App, body: object) {
  return await eventually(
    async () => {
      const answer = await app.post('/webhook/alerts', body);
      if (answer.status !== 200) throw new Error(`${answer.status}`);
      return answer.json();
    },
    { timeoutMs: 30_000, everyMs: 300 },
  );
}

describe('posts that wait because the queue is full', () => {
  it('get 503 with Retry-After: a copy after eight seconds, its first at the deadline; and are one notification [P1]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using proxy = await tcpProxy(slack.port);
    const app = await startFull(dir.path, { WEBHOOK_TIMEOUT_MS: '20000' }, proxy, slack);
    await using _proc = app.proc;
    const send = () =>
      fetch(`${app.url}/webhook/alerts`, { method: 'POST', body: JSON.stringify(post('Waiting.')) }).then(
        async (response) => ({
          status: response.status,
          retryAfter: response.headers.get('retry-after'),
          code: ((await response.json()) as { error: { code: string } }).error.code,
        }),
      );
    const answers = await Promise.all([send(), send(), app.call('/livez').then(({ status }) => status)]);
    expect(answers[2]).toBe(200);
    const [copy, first] = answers[0].code === 'busy' ? [answers[0], answers[1]] : [answers[1], answers[0]];
    expect(copy).toEqual({ status: 503, retryAfter: '1', code: 'busy' });
    expect(first).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) });
    expect(told(slack, 'Waiting.')).toBe(0);

    setFree(slack, proxy);
    expect(await sendUntilTaken(app, post('Waiting.'))).toEqual({ status: 'ok', accepted: 0, duplicates: 1 });
    await eventually(() => told(slack, 'Waiting.') > 0);
    await sendUntilTaken(app, post('After.'));
    await eventually(() => told(slack, 'After.') > 0);
    expect(told(slack, 'Waiting.')).toBe(1);
    expect((await app.call('/api/overview')).json().law).toMatchObject({ accepted: 7, holds: true });
  }, 120_000);

  it('are a thousand at most: the next one gets 503 at once, and each of them is told once when there is room [P2]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using proxy = await tcpProxy(slack.port);
    const app = await startFull(dir.path, { WEBHOOK_TIMEOUT_MS: '100000', LOG_LEVEL: 'error' }, proxy, slack);
    await using _proc = app.proc;
    const codes: string[] = [];
    const sent: Promise<void>[] = [];
    const refused = (): boolean => codes.includes('queue_full');
    while (!refused() && sent.length < 1_200) {
      const batch = Array.from({ length: 50 }, () => {
        const body = post(`Crowd${sent.length + 1}.`);
        const answer = app.post('/webhook/alerts', body).then(({ status, json }) => {
          codes.push(status === 200 ? 'taken' : json().error.code);
        });
        sent.push(answer);
        return answer;
      });
      await app.call('/livez');
      if (sent.length > 1_000) await Promise.race(batch);
    }
    expect(refused()).toBe(true);
    expect(sent.length).toBeGreaterThan(1_000);
    expect([...new Set(codes)]).toEqual(['queue_full']);
    expect((await app.call('/readyz')).status).toBe(200);

    setFree(slack, proxy);
    await Promise.all(sent);
    // Those that arrived when there was room again were taken too.
    const taken = codes.filter((code) => code === 'taken').length;
    expect(taken).toBeGreaterThanOrEqual(1_000);
    expect(codes.filter((code) => code === 'queue_full')).toHaveLength(sent.length - taken);
    const answers = await Promise.all(sent.map((_, n) => sendUntilTaken(app, post(`Crowd${n + 1}.`))));
    expect(answers.filter(({ duplicates }) => duplicates === 1)).toHaveLength(taken);
    const law = await eventually(
      async () => {
        const overview = (await app.call('/api/overview')).json();
        if (overview.law.pending > 0) throw new Error(JSON.stringify(overview.law));
        return overview.law;
      },
      { timeoutMs: 60_000 },
    );
    expect(law).toMatchObject({ accepted: 5 + sent.length, holds: true });
    // The fillers may have died when they were cut off; of the others each is in one message, alone or with more.
    const { deadLetters } = (await app.call('/api/dead-letters?limit=1000')).json();
    const titles = deadLetters.map(({ alert }: { alert: { title: string } }) => alert.title);
    expect(titles.filter((title: string) => !title.includes('Filler'))).toEqual([]);
    const names = slack.requests.flatMap(({ body }) => [...new Set(body.match(/Crowd\d+\./g))]);
    expect(new Set(names).size).toBe(names.length);
  }, 180_000);

  it.skipIf(!needs('alertmanager'))(
    'are one message though Alertmanager, reloaded in the middle of its post, sends it again at once [P3]',
    async () => {
      await using dir = await tempDir();
      await using slack = await fakeSlack();
      await using proxy = await tcpProxy(slack.port);
      const env = { WEBHOOK_TIMEOUT_MS: '100000', ALERT_GROUP_INTERVAL_MS: '1000' };
      const app = await startFull(dir.path, env, proxy, slack);
      await using _proc = app.proc;
      const config = { webhookUrl: `${app.url}/webhook/alerts`, groupInterval: '1s' };
      await using am = await startAlertmanager({ config });
      const lastWebhook = async (): Promise<number> => (await app.call('/api/overview')).json().lastWebhookAt;
      const before = await lastWebhook();
      const startsAt = new Date(Date.now() - 60_000).toISOString();
      await am.post([{ labels: { alertname: 'Reloaded.', instance: 'i' }, startsAt }]);
      const first = await eventually(async () => {
        const at = await lastWebhook();
        return at > before && at;
      });
      await am.reload({ ...config, repeatInterval: '2h' });
      await eventually(async () => (await lastWebhook()) > first);
      expect(told(slack, 'Reloaded.')).toBe(0);

      setFree(slack, proxy);
      await eventually(() => told(slack, 'Reloaded.') > 0);
      await eventually(async () => (await app.call('/api/overview')).json().copies >= 1);
      for (const name of ['Next.', 'Last.']) {
        await am.post([{ labels: { alertname: name, instance: 'i' }, startsAt }]);
        await eventually(() => told(slack, name) > 0, { timeoutMs: 20_000 });
      }
      expect(told(slack, 'Reloaded.')).toBe(1);
      const { alerts } = (await app.call('/api/alerts')).json();
      const row = alerts.find(({ labels }: { labels: { alertname: string } }) => labels.alertname === 'Reloaded.');
      expect(row.notifications).toHaveLength(1);
      expect(row.notifications[0].copies.newest.map(({ why }: { why: string }) => why)).toContain('joined');
    },
    120_000,
  );
});
