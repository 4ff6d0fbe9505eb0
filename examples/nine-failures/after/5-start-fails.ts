// persistent-kb and graceful-shutdown: a database that can't be reached ends the start with the reason and exit code 1.
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { openKb } from '@holdfast/persistent-kb';
import { mongoStore } from '@holdfast/persistent-kb/mongodb';
import express from 'express';

const lifecycle = createLifecycle();
const kb = lifecycle.add('kb', {
  start: () => openKb({ store: mongoStore({ uri: process.env.MONGODB_URI! }), startTimeoutMs: 2000 }),
  stop: (value) => value.close(),
});
const app = express().use(express.json());

app.post('/entries', async (req, res) => {
  await kb.value.put(req.body);
  res.json({ status: 'ok' });
});
app.get('/health', (_req, res) => {
  res.json(lifecycle.health());
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['kb'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
