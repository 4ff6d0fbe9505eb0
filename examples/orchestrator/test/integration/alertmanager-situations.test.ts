import {
  eventually,
  type FakeProvider,
  fakeSlack,
  needs,
  startAlertmanager,
  tcpProxy,
  tempDir,
} from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

type Posted = Parameters<Awaited<ReturnType<typeof startAlertmanager>>['post']>[0][number];
const firing = (alertname: string, more: Partial<Posted> = {}): Posted => ({
  labels: { alertname, instance: 'i' },
  ...more,
});
const resolved = (alertname: string): Posted =>
  firing(alertname, { endsAt: new Date(Date.now() - 1_000).toISOString() });

/** The states in which an alert was told, oldest first. */
const told = (slack: FakeProvider, name: string): string[] =>
  slack.requests.flatMap(({ body }) => (body.includes(name) ? [/RESOLVED/.test(body) ? 'resolved' : 'firing'] : []));

/** Waits until that many messages about `name` are there, then for one about a later alert: more of `name` would be seen. */
async function toldExactly(slack: FakeProvider, name: string, states: string[], marker: () => Promise<string>) {
  await eventually(() => told(slack, name).length >= states.length, { timeoutMs: 40_000 });
  for (let n = 0; n < 2; n++) {
    const later = await marker();
    await eventually(() => told(slack, later).length > 0, { timeoutMs: 40_000 });
  }
  expect([name, told(slack, name)]).toEqual([name, states]);
}

describe.skipIf(!needs('alertmanager'))('a real Alertmanager is notified exactly as often as it should', () => {
  it('230 alerts in one group, a re-fire, a reload, a receiver that was down and is back [P32]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      ALERT_GROUP_INTERVAL_MS: '1000',
    });
    await using _proc = app.proc;
    await using proxy = await tcpProxy(app.port);
    await using am = await startAlertmanager({
      config: { webhookUrl: `http://127.0.0.1:${proxy.port}/webhook/alerts` },
    });
    let n = 0;
    const marker = async (): Promise<string> => {
      const name = `Marker${++n}.`;
      await am.post([firing(name)]);
      return name;
    };

    await am.post(Array.from({ length: 230 }, (_, at) => ({ labels: { alertname: 'Storm', instance: `node-${at}` } })));
    await toldExactly(slack, 'Storm', ['firing'], marker);
    const { alerts } = (await app.call('/api/overview')).json();
    expect(alerts.firing).toBeGreaterThanOrEqual(230);

    await am.post([firing('Flip')]);
    await toldExactly(slack, 'Flip', ['firing'], marker);
    await am.post([resolved('Flip')]);
    await toldExactly(slack, 'Flip', ['firing', 'resolved'], marker);
    await am.post([firing('Flip', { startsAt: new Date().toISOString() })]);
    await toldExactly(slack, 'Flip', ['firing', 'resolved', 'firing'], marker);
    await am.reload();
    await toldExactly(slack, 'Flip', ['firing', 'resolved', 'firing'], marker);

    await proxy.refuse();
    proxy.dropAll();
    await am.post([firing('WhileDown')]);
    await eventually(
      () =>
        /WhileDown[^\n]*(refused|reset|EOF)|(refused|reset|EOF)[^\n]*WhileDown/i.test(am.logs) ||
        /connection refused/.test(am.logs),
      {
        timeoutMs: 20_000,
      },
    );
    await proxy.accept();
    await toldExactly(slack, 'WhileDown', ['firing'], marker);
  }, 120_000);

  it('an HA pair: once each, though both try while the receiver is down, and though one of them dies [P33]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      ALERT_GROUP_INTERVAL_MS: '1000',
      ALERT_PEERS: '2',
      ALERT_PEER_TIMEOUT_MS: '2000',
      API_TOKEN: 'between-them',
    });
    await using _proc = app.proc;
    await using proxy = await tcpProxy(app.port);
    const config = { webhookUrl: `http://127.0.0.1:${proxy.port}/webhook/alerts`, token: 'between-them' };
    await using first = await startAlertmanager({ config, peers: [] });
    await using second = await startAlertmanager({ config, peers: [first] });
    const both = (alerts: Posted[]) => Promise.all([first.post(alerts), second.post(alerts)]);
    let n = 0;
    const marker = async (): Promise<string> => {
      const name = `Marker${++n}.`;
      await both([firing(name)]);
      return name;
    };

    const startsAt = new Date().toISOString();
    await both([firing('Paired', { startsAt })]);
    await toldExactly(slack, 'Paired', ['firing'], marker);

    await proxy.refuse();
    proxy.dropAll();
    await both([firing('BothTry', { startsAt })]);
    await eventually(() => /refused/.test(first.logs) && /refused/.test(second.logs), { timeoutMs: 30_000 });
    await proxy.accept();
    await toldExactly(slack, 'BothTry', ['firing'], marker);

    await first.kill();
    await second.post([resolved('Paired')]);
    await eventually(() => told(slack, 'Paired').length === 2, { timeoutMs: 40_000 });
    expect(told(slack, 'Paired')).toEqual(['firing', 'resolved']);
    const headers = { authorization: 'Bearer between-them' };
    expect((await app.call('/api/overview', { headers })).json().law.holds).toBe(true);
  }, 150_000);
});
