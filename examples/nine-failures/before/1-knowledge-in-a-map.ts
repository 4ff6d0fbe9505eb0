// As in the post-mortem: src/knowledge/knowledge-base.ts keeps its entries in a Map, and nothing calls the persistence layer.
import express from 'express';

interface KBEntry {
  id: string;
  title: string;
}

class KnowledgeBase {
  private entries = new Map<string, KBEntry>();
  save(entry: KBEntry) {
    this.entries.set(entry.id, entry);
  }
  get(id: string) {
    return this.entries.get(id);
  }
}

const kb = new KnowledgeBase();
const app = express().use(express.json());

app.post('/entries', (req, res) => {
  kb.save(req.body);
  res.status(201).json({ status: 'ok' });
});

app.get('/entries/:id', (req, res) => {
  const entry = kb.get(req.params.id);
  res.status(entry ? 200 : 404).json(entry ?? { error: 'not found' });
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
