// persistent-kb: an entry is one record; the index is derived from what was read, so it can't be behind it.
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { type Entry, fileStore, openKb } from '@holdfast/persistent-kb';
import express from 'express';

const lifecycle = createLifecycle();
const kb = lifecycle.add('kb', {
  start: () => openKb({ store: fileStore({ dir: `${process.env.DATA_DIR}/kb` }) }),
  stop: (value) => value.close(),
});
const app = express().use(express.json({ limit: '10mb' }));

app.post('/entries', async (req, res) => {
  await Promise.all((req.body as Entry[]).map((entry) => kb.value.put(entry)));
  res.status(201).json({ status: 'ok' });
});
app.get('/entries', async (_req, res) => {
  const entries: Entry[] = [];
  for await (const { entry } of kb.value.export()) entries.push(entry);
  res.json(entries);
});
app.get('/tags/:tag', (req, res) => {
  res.json(kb.value.query({ all: [req.params.tag], limit: 10_000 }).hits.map(({ entry }) => entry));
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['kb'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
