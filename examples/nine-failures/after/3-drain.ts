// graceful-shutdown: SIGTERM lets every request end, and closes the database when nothing uses it.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import express from 'express';

const lifecycle = createLifecycle();
const database = {
  open: true,
  async write() {
    await sleep(5);
    if (!this.open) throw new Error('database is closed');
  },
  async close() {
    this.open = false;
  },
};
lifecycle.add('database', { start: () => database });
const app = express();

app.post('/work', async (_req, res) => {
  await sleep(800);
  await database.write();
  res.json({ status: 'ok' });
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' }, dependsOn: ['database'] });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
