// alert-delivery: the history is bounded by count and age; what falls out is counted, and nothing is sorted to evict.
import { createServer } from 'node:http';
import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import express from 'express';

const lifecycle = createLifecycle();
const delivery = lifecycle.add('delivery', {
  start: () =>
    openDelivery({
      store: fileStore({ dir: `${process.env.DATA_DIR}/journal` }),
      chain: [{ channel: { name: 'taken', send: async () => {} }, concurrency: 1000 }],
      history: { maxEntries: 10_000 },
    }),
  stop: (value) => value.close(),
});
const app = express().use(express.json({ limit: '10mb' }));

app.post('/alerts', async (req, res) => {
  const alerts = req.body as { id: string; message: string }[];
  await Promise.all(
    alerts.map(({ id, message }) => delivery.value.accept({ id, title: message, severity: 'critical' })),
  );
  res.json({ status: 'ok' });
});
app.get('/heap', async (_req, res) => {
  await delivery.value.flush();
  global.gc!();
  res.json({ heapUsed: process.memoryUsage().heapUsed });
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['delivery'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
