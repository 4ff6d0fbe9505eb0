// As in the post-mortem: src/index.ts, a handler without a timeout waits for a slow client as long as it likes.
import express from 'express';

const app = express().use(express.json({ limit: '10mb' }));

app.post('/webhook/alerts', (_req, res) => {
  res.json({ status: 'ok' });
});
app.get('/slow', () => {
  // the query that never comes back
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
