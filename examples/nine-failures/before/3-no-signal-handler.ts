// As in the post-mortem: src/index.ts handles no signal, so SIGTERM ends the process in the middle of its requests.
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const database = { write: async () => sleep(5) };
const app = express();

app.post('/work', async (_req, res) => {
  await sleep(800);
  await database.write();
  res.json({ status: 'ok' });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
