import { describe, expect, it } from 'vitest';
import { fakeProvider, needs, startAlertmanager } from '../../src/index.js';

const receiver = () => fakeProvider('/hook', () => ({ status: 200 }));
const statuses = (body: string): string[] =>
  (JSON.parse(body) as { alerts: { status: string }[] }).alerts.map(({ status }) => status);

describe.skipIf(!needs('alertmanager'))('startAlertmanager', () => {
  it('posts what it is given, grouped, and again when it resolves', async () => {
    await using hook = await receiver();
    await using alertmanager = await startAlertmanager({ config: { webhookUrl: hook.url, token: 'secret' } });
    const alert = (instance: string, endsAt?: string) => ({ labels: { alertname: 'Disk', instance }, endsAt });
    await alertmanager.post([alert('a'), alert('b')]);
    const [firing] = await hook.waitForRequests(1);
    expect(statuses(firing!.body)).toEqual(['firing', 'firing']);
    expect(firing!.headers.authorization).toBe('Bearer secret');
    const past = new Date(Date.now() - 1000).toISOString();
    await alertmanager.post([alert('a', past), alert('b', past)]);
    const [, resolved] = await hook.waitForRequests(2);
    expect(statuses(resolved!.body)).toEqual(['resolved', 'resolved']);
  });

  it('forms a pair that notifies once', async () => {
    await using hook = await receiver();
    await using first = await startAlertmanager({ config: { webhookUrl: hook.url }, peers: [] });
    await using second = await startAlertmanager({ config: { webhookUrl: hook.url }, peers: [first] });
    const alerts = [{ labels: { alertname: 'Pair' } }];
    await Promise.all([first.post(alerts), second.post(alerts)]);
    await hook.waitForRequests(1, 20_000);
    const status = (await (await fetch(`${second.url}/api/v2/status`)).json()) as { cluster: { peers: unknown[] } };
    expect(status.cluster.peers).toHaveLength(2);
  });
});
