// The post-mortem's own minimal fix (src/middleware/timeout.ts): 408 whatever was slow, and the socket destroyed at once.
import express, { type NextFunction, type Request, type Response } from 'express';

function timeoutMiddleware(timeoutMs: number) {
  return (req: Request, res: Response, next: NextFunction) => {
    const timeout = setTimeout(() => {
      if (!res.headersSent) {
        res.status(408).json({ error: 'Request timeout' });
      }
      req.socket.destroy();
    }, timeoutMs);

    res.on('finish', () => clearTimeout(timeout));
    res.on('close', () => clearTimeout(timeout));

    next();
  };
}

const app = express();

app.post('/webhook/alerts', timeoutMiddleware(1000), express.json({ limit: '10mb' }), (_req, res) => {
  res.json({ status: 'ok' });
});
app.get('/slow', timeoutMiddleware(1000), () => {
  // the query that never comes back
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
