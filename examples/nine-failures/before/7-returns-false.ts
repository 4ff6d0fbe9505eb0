// As in the post-mortem: src/alerts/slack-client.ts logs that Slack failed, returns false, and nobody looks.
import express from 'express';

const app = express().use(express.json());

app.post('/alerts', async (req, res) => {
  await sendAlert(req.body);
  res.json({ status: 'ok' });
});

async function sendAlert(alert: { title: string }): Promise<boolean> {
  try {
    const response = await fetch(process.env.SLACK_WEBHOOK_URL!, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: alert.title }),
    });
    return response.ok;
  } catch (error) {
    console.error('Slack API error:', error);
    return false;
  }
}

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
