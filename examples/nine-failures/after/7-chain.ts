// alert-delivery: durable before the first attempt, Slack then e-mail, and what no channel takes is kept whole.
import { createServer } from 'node:http';
import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { sendGrid } from '@holdfast/alert-delivery/sendgrid';
import { slackWebhook } from '@holdfast/alert-delivery/slack';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import express from 'express';

const { DATA_DIR, SLACK_WEBHOOK_URL, SENDGRID_API_URL } = process.env;
const lifecycle = createLifecycle();
const delivery = lifecycle.add('delivery', {
  start: () =>
    openDelivery({
      store: fileStore({ dir: `${DATA_DIR}/journal` }),
      deadLetter: `${DATA_DIR}/failed-alerts.jsonl`,
      chain: [
        { channel: slackWebhook({ url: SLACK_WEBHOOK_URL! }), retries: 1, timeoutMs: 2000 },
        {
          channel: sendGrid({
            apiKey: 'SG.drill',
            from: 'alerts@example.org',
            to: 'ops@example.org',
            baseUrl: SENDGRID_API_URL!,
          }),
          retries: 1,
          timeoutMs: 2000,
        },
      ],
    }),
  stop: (value) => value.close(),
});
const app = express().use(express.json());

app.post('/alerts', async (req, res) => {
  await delivery.value.accept(req.body);
  res.json({ status: 'ok' });
});
app.get('/dead', async (_req, res) => {
  const letters = [];
  for await (const letter of delivery.value.dead()) letters.push(letter);
  res.json(letters);
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['delivery'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
