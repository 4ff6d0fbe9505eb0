// As in the post-mortem: src/index.ts, the webhook before its fix. Every copy of a delivery is handled.
import express from 'express';

const app = express().use(express.json());

app.post('/webhook/alerts', async (req, res) => {
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

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
