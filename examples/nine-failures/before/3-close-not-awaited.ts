// The post-mortem's own minimal fix: server.close() is called but not awaited, the database is closed under the requests.
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

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
const app = express();

app.post('/work', async (_req, res) => {
  await sleep(800);
  await database.write();
  res.json({ status: 'ok' });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);

const shutdown = async (signal: string) => {
  console.log(`Received ${signal}, starting graceful shutdown...`);

  // Stop accepting new connections
  server.close(() => {
    console.log('Server closed');
  });

  // Give in-flight requests 30 seconds to complete
  const shutdownTimeout = setTimeout(() => {
    console.error('Shutdown timeout exceeded, forcing exit');
    process.exit(1);
  }, 30000);

  await database.close();
  console.log('Database closed');

  clearTimeout(shutdownTimeout);
  console.log('Graceful shutdown complete');
  process.exit(0);
};

process.on('SIGTERM', () => shutdown('SIGTERM'));
process.on('SIGINT', () => shutdown('SIGINT'));
