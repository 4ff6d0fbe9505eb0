// idempotency: a delivery is claimed before it is handled; copies join it, failures are not replayed, a resolved notice passes.
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { createIdempotency } from '@holdfast/idempotency';
import { idempotent } from '@holdfast/idempotency/express';
import { fileStore } from '@holdfast/idempotency/file';
import express, { type Request } from 'express';

const lifecycle = createLifecycle();
const idempotency = createIdempotency({ store: fileStore({ dir: `${process.env.DATA_DIR}/idempotency` }) });
lifecycle.add('idempotency', { start: () => idempotency.ready(), stop: () => idempotency.close() });
const app = express().use(express.json());

app.post('/webhook/alerts', idempotent(idempotency, { preset: 'webhook' }), async (req: Request, res) => {
  try {
    await sendToSlack(req.body);
    res.json({ status: 'ok' });
  } catch (error) {
    res.status(500).json({ error: (error as Error).message });
  }
});

async function sendToSlack(payload: { status: string; groupKey: string }) {
  const response = await fetch(process.env.SLACK_WEBHOOK_URL!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: `${payload.status} ${payload.groupKey}` }),
  });
  if (!response.ok) throw new Error(`Slack answered ${response.status}`);
}

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' } });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
