import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeSlack } from '@holdfast/testkit';

const slack = await fakeSlack();
const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-'));
const slackUrl = slack.url;

// #region together
import { createServer } from 'node:http';
import { fileStore as deliveryFiles, openDelivery } from '@holdfast/alert-delivery';
import { slackWebhook } from '@holdfast/alert-delivery/slack';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import { healthHandler } from '@holdfast/graceful-shutdown/health';
import { createIdempotency } from '@holdfast/idempotency';
import { alertmanager } from '@holdfast/idempotency/alertmanager';
import { fileStore as claimFiles } from '@holdfast/idempotency/file';
import { fileStore as kbFiles, openKb } from '@holdfast/persistent-kb';
import express from 'express';

const lifecycle = createLifecycle();

// 1. What holds state. Each is opened, awaited, and closed by its own close() when nothing uses it any more.
const kb = lifecycle.add('kb', { start: () => openKb({ store: kbFiles({ dir: join(dataDir, 'kb') }) }) });
const claims = lifecycle.add('claims', {
  async start() {
    const idempotency = createIdempotency({ store: claimFiles({ dir: join(dataDir, 'claims') }) });
    await idempotency.ready(); // fails the start, not the first request
    return idempotency;
  },
});
const delivery = lifecycle.add('delivery', {
  start: () =>
    openDelivery({
      store: deliveryFiles({ dir: join(dataDir, 'delivery') }),
      chain: [{ channel: slackWebhook({ url: slackUrl }) }],
    }),
});

// 2. The routes.
const keyOf = alertmanager({ groupIntervalMs: 5 * 60_000 });
const app = express();
app.use(healthHandler(lifecycle));
app.use(requestDeadline({ handlerMs: 30_000, bodyMs: 10_000, bodyStatus: 503 }));
app.use(express.json({ limit: '16mb', type: () => true }));
app.post('/webhook/alerts', async (request, response) => {
  const payload = request.body;
  const { via } = await claims.value.execute(keyOf(payload, { sender: request.ip }), async (op) => {
    const name: string = payload.groupLabels.alertname;
    const known = kb.value.query({ text: name, limit: 1 }).hits[0];
    // The run's id is the alert's id: a retry after a crash is the same alert to delivery, too.
    await delivery.value.accept({
      id: op.id,
      title: known ? `${name} (seen before: ${known.entry.title})` : name,
      severity: 'critical',
      status: payload.status,
    });
  });
  response.json({ status: 'ok', duplicate: via !== 'ran' }); // 200 only once it is durable
});

// 3. The server, last: it depends on everything it uses.
const http = lifecycle.http('http', createServer(app), {
  listen: { port: 0, host: '127.0.0.1' },
  dependsOn: ['kb', 'claims', 'delivery'],
});
// In a service of your own: await lifecycle.run();
// #endregion together

await lifecycle.start();
const payload = {
  version: '4',
  groupKey: '{}:{alertname="DiskFull"}',
  receiver: 'holdfast',
  status: 'firing',
  truncatedAlerts: 0,
  groupLabels: { alertname: 'DiskFull' },
  externalURL: 'http://alertmanager',
  alerts: [
    { status: 'firing', labels: { alertname: 'DiskFull' }, startsAt: '2026-01-01T00:00:00Z', fingerprint: 'a1' },
  ],
};
const post = async () => {
  const answer = await fetch(`http://127.0.0.1:${http.value.port}/webhook/alerts`, {
    method: 'POST',
    body: JSON.stringify(payload),
  });
  return { status: answer.status, body: await answer.json() };
};
assert.deepEqual(await post(), { status: 200, body: { status: 'ok', duplicate: false } });
assert.deepEqual(await post(), { status: 200, body: { status: 'ok', duplicate: true } });
await slack.waitForRequests(1);
const report = await lifecycle.shutdown();
assert.equal(report.exitCode, 0);
assert.equal(slack.requests.length, 1);
await slack.close();
