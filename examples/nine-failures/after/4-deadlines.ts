// graceful-shutdown: a slow body gets 408, a slow handler 503, and both arrive while the client is still sending.
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { requestDeadline } from '@holdfast/graceful-shutdown/express';
import express from 'express';

const lifecycle = createLifecycle();
const app = express();
app.use(requestDeadline({ bodyMs: 1000, handlerMs: 1000 }));

app.post('/webhook/alerts', express.json({ limit: '10mb' }), (_req, res) => {
  res.json({ status: 'ok' });
});
app.get('/slow', () => {
  // the query that never comes back
});

const server = createServer(app);
lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' } });
await lifecycle.run();
console.log(`listening on ${(server.address() as { port: number }).port}`);
