// The post-mortem's own minimal fix (src/alerts/alert-handler.ts): escalates to e-mail, then keeps the name and drops the alert.
import { appendFile } from 'node:fs/promises';
import express from 'express';

const app = express().use(express.json());

app.post('/alerts', async (req, res) => {
  await processAlert(req.body);
  res.json({ status: 'ok' });
});

async function processAlert(alert: { title: string; body: string }) {
  const slackSent = await post(process.env.SLACK_WEBHOOK_URL!, { text: `${alert.title} ${alert.body}` });
  if (!slackSent) {
    console.error('[ALERT DELIVERY FAILED] Slack API unreachable, escalating to email...');
    const emailSent = await post(`${process.env.SENDGRID_API_URL}/v3/mail/send`, {
      subject: alert.title,
      content: alert.body,
    });
    if (!emailSent) {
      console.error(`Failed to deliver alert: ${alert.title}. Both Slack and SendGrid unavailable.`);
      // Persist to disk as fallback (for manual retrieval)
      await appendFile(`${process.env.DATA_DIR}/failed-alerts.jsonl`, `${JSON.stringify(alert.title)}\n`);
    }
  }
}

async function post(url: string, body: unknown): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.ok;
  } catch (error) {
    console.error('API error:', error);
    return false;
  }
}

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
