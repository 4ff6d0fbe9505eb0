// persistent-kb: an answer is given when the entry is durable, and the next start loads it.
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { fileStore, openKb } from '@holdfast/persistent-kb';
import express from 'express';

const lifecycle = createLifecycle();
const kb = lifecycle.add('kb', {
  start: () => openKb({ store: fileStore({ dir: `${process.env.DATA_DIR}/kb` }) }),
  stop: (value) => value.close(),
});
const app = express().use(express.json());

app.post('/entries', async (req, res) => {
  await kb.value.put(req.body);
  res.status(201).json({ status: 'ok' });
});

app.get('/entries/:id', (req, res) => {
  const stored = kb.value.get(req.params.id);
  res.status(stored ? 200 : 404).json(stored?.entry ?? { error: 'not found' });
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['kb'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
