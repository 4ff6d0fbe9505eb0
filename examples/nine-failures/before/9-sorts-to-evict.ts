// The post-mortem's own minimal fix: a clean-up (called every six hours there, when asked here) that sorts the whole Map
// for each alert that it evicts.
import express from 'express';

interface Alert {
  id: string;
  message: string;
  timestamp: number;
}

class AlertManager {
  private alerts: Map<string, Alert> = new Map();
  private readonly MAX_ALERTS = 10000;

  error(id: string, message: string) {
    this.alerts.set(id, { id, message, timestamp: Date.now() });
  }

  cleanup(hoursMaxAge = 48): void {
    const now = Date.now();
    const maxAge = hoursMaxAge * 60 * 60 * 1000;
    for (const [id, alert] of this.alerts.entries()) {
      if (now - alert.timestamp > maxAge) this.alerts.delete(id);
    }
    // If still too many, evict oldest
    while (this.alerts.size > this.MAX_ALERTS) {
      const oldest = Array.from(this.alerts.values()).sort((a, b) => a.timestamp - b.timestamp)[0]!;
      this.alerts.delete(oldest.id);
    }
  }
}

const alertManager = new AlertManager();
const app = express().use(express.json({ limit: '10mb' }));

app.post('/alerts', (req, res) => {
  for (const { id, message } of req.body as Alert[]) alertManager.error(id, message);
  res.json({ status: 'ok' });
});
app.get('/heap', (_req, res) => {
  alertManager.cleanup(48);
  global.gc!();
  res.json({ heapUsed: process.memoryUsage().heapUsed });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
