// The orchestrator with the packages taken out, as the post-mortem shows it: parse, post to Slack, remember in a Map, answer.
// NAIVE_ANSWER=first: answers before Slack is asked, so that nothing but the parsing is waited for.
import express from 'express';

const alerts = new Map<string, unknown>();
const app = express();
app.post('/webhook/alerts', express.json({ limit: '16mb' }), async (request, response) => {
  for (const alert of request.body.alerts) alerts.set(`${alert.fingerprint} ${alert.startsAt}`, alert);
  const sent = fetch(process.env.SLACK_WEBHOOK_URL!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      text: `${request.body.status} ${request.body.groupKey}: ${request.body.alerts.length} alerts`,
    }),
  }).then((answer) => answer.text());
  if (process.env.NAIVE_ANSWER !== 'first') await sent;
  else sent.catch((error) => console.error('Slack API error:', error));
  response.json({ status: 'ok' });
});
app.get('/heap', (_request, response) => {
  global.gc?.();
  response.json(process.memoryUsage());
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listens on http://127.0.0.1:${(server.address() as { port: number }).port}`);
});
