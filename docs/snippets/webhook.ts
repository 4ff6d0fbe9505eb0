import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const sent: string[] = [];
const notify = async (id: string) => void sent.push(id);

// #region webhook
import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import { createIdempotency } from '@holdfast/idempotency';
import { idempotent } from '@holdfast/idempotency/express';
import express from 'express';

const app = express();
// Outside: it answers 503, which Alertmanager retries. A 408 would be final to it.
app.use(requestDeadline({ handlerMs: 30_000, bodyMs: 10_000, bodyStatus: 503 }));
app.use(express.json({ limit: '16mb', type: () => true }));
app.post('/webhook/alerts', idempotent(createIdempotency(), { preset: 'webhook' }), async (request, response) => {
  const { groupKey } = request.body as { groupKey: string };
  await notify(groupKey);
  response.json({ status: 'ok' });
});
// #endregion webhook

const server = createServer(app).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const { port } = server.address() as AddressInfo;
const body = JSON.stringify({
  version: '4',
  groupKey: '{}:{alertname="DiskFull"}',
  receiver: 'holdfast',
  status: 'firing',
  truncatedAlerts: 0,
  groupLabels: {},
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://alertmanager',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'DiskFull' },
      annotations: {},
      startsAt: '2026-01-01T00:00:00Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: '',
      fingerprint: 'a1',
    },
  ],
});
const post = () =>
  fetch(`http://127.0.0.1:${port}/webhook/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
assert.equal((await post()).status, 200);
assert.equal((await post()).status, 200);
assert.equal(sent.length, 1, 'the retry was absorbed');
server.close();
server.closeAllConnections();
