import { eventually, fakeSlack, needs, startAlertmanager, tcpProxy, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const INTERVALS = { ALERT_GROUP_INTERVAL_MS: '1000', ALERT_REPEAT_INTERVAL_MS: '6000' };
const disk = (instance: string, more: object = {}) => ({
  labels: { alertname: 'DiskFull', instance, severity: 'warning' },
  ...more,
});

describe.skipIf(!needs('alertmanager'))('the orchestrator behind a real Alertmanager', () => {
  it('makes one message of a group of three, lists the alerts, and learns an entry [P30]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...INTERVALS });
    await using _proc = app.proc;
    await using am = await startAlertmanager({ config: { webhookUrl: `${app.url}/webhook/alerts` } });
    await am.post(['db-1', 'db-2', 'db-3'].map((instance) => disk(instance)));

    const [message] = await slack.waitForRequests(1, 20_000);
    for (const name of ['db-1', 'db-2', 'db-3']) expect(String(message!.body)).toContain(name);
    const listed = await eventually(async () => {
      const { alerts, total } = (await app.call('/api/alerts')).json();
      return alerts[0]?.notifications[0]?.status === 'delivered' && { alerts, total };
    });
    expect(listed.total).toBe(3);
    expect((await app.post('/api/memory/consolidate', '')).status).toBe(200);
    const found = (await app.post('/api/knowledge/query', { query: 'DiskFull' })).json();
    expect(found.results[0].entry).toMatchObject({ alertname: 'DiskFull', seen: 3 });
    expect(slack.requests).toHaveLength(1);
  });

  it('absorbs the retry of a lost answer, sends the intended repeat, and the resolved notice once [P31]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...INTERVALS });
    await using _proc = app.proc;
    await using proxy = await tcpProxy(app.port);
    proxy.cutNextReply(1);
    const webhookUrl = `http://127.0.0.1:${proxy.port}/webhook/alerts`;
    await using am = await startAlertmanager({ config: { webhookUrl, repeatInterval: '6s' } });
    await am.post([disk('db-1')]);

    await eventually(() => /absorbed: a copy/.test(app.proc.stdout), { timeoutMs: 20_000 });
    expect(proxy.cuts).toBe(1);
    expect(slack.requests).toHaveLength(1);

    await slack.waitForRequests(2, 30_000);
    await am.post([disk('db-1', { endsAt: new Date(Date.now() - 1_000).toISOString() })]);
    const all = await slack.waitForRequests(3, 20_000);
    expect(all.map(({ body }) => /RESOLVED/i.test(String(body)))).toEqual([false, false, true]);
    // Three more ticks of the group: a second resolved notice would have come by then.
    const resolved = (await app.call('/api/alerts?status=resolved')).json();
    expect(resolved.total).toBe(1);
    expect(resolved.alerts[0].notifications).toHaveLength(3);
  });
});
