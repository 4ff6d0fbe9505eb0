// As in the post-mortem: src/alerter.ts remembers every alert in a Map and forgets none.
import express from 'express';

interface Alert {
  id: string;
  message: string;
  timestamp: number;
}

class AlertManager {
  private alerts: Map<string, Alert> = new Map();
  error(id: string, message: string) {
    this.alerts.set(id, { id, message, timestamp: Date.now() });
  }
}

const alertManager = new AlertManager();
const app = express().use(express.json({ limit: '10mb' }));

app.post('/alerts', (req, res) => {
  for (const { id, message } of req.body as Alert[]) alertManager.error(id, message);
  res.json({ status: 'ok' });
});
app.get('/heap', (_req, res) => {
  global.gc!();
  res.json({ heapUsed: process.memoryUsage().heapUsed });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
