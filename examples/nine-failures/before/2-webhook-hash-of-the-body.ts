// The post-mortem's own minimal fix (src/middleware/idempotency.ts): check, then remember; the hash of the body is the key.
import { createHash } from 'node:crypto';
import express, { type NextFunction, type Request, type Response } from 'express';

const idempotencyCache = new Map<string, unknown>();

function idempotencyMiddleware(req: Request, res: Response, next: NextFunction) {
  const idempotencyKey =
    (req.headers['idempotency-key'] as string | undefined) ||
    createHash('sha256').update(JSON.stringify(req.body)).digest('hex');

  if (idempotencyCache.has(idempotencyKey)) {
    res.status(200).json(idempotencyCache.get(idempotencyKey));
    return;
  }

  const originalJson = res.json.bind(res);
  res.json = (data: unknown) => {
    idempotencyCache.set(idempotencyKey, data);
    if (idempotencyCache.size > 1000) {
      const firstKey = idempotencyCache.keys().next().value;
      idempotencyCache.delete(firstKey!);
    }
    return originalJson(data);
  };

  next();
}

const app = express().use(express.json());

app.post('/webhook/alerts', idempotencyMiddleware, async (req, res) => {
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
