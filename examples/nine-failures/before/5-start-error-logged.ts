// As in the post-mortem: src/index.ts logs that the database can't be reached, and goes on.
import express from 'express';
import { MongoClient } from 'mongodb';

const client = new MongoClient(process.env.MONGODB_URI!, { serverSelectionTimeoutMS: 1000 });
const alerts: unknown[] = [];

try {
  await client.connect();
} catch (error) {
  console.error('[orchestrator] failed to initialize persistence layer:', (error as Error).message);
}

const app = express().use(express.json());

app.post('/entries', async (req, res) => {
  alerts.push(req.body);
  client
    .db()
    .collection('knowledge_base')
    .insertOne({ ...req.body })
    .catch((error: Error) => console.error('[KB] Failed to persist entry:', error.message));
  res.json({ status: 'ok' });
});
app.get('/health', (_req, res) => {
  res.json({ status: 'ok' });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
