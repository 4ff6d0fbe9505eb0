// As in the post-mortem: src/persistence/data-persistence.ts saves the entry, then the index; and its minimal fix starts
// fresh when the index can't be loaded.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import express from 'express';

interface KBEntry {
  id: string;
  tags: string[];
}

const entriesFile = `${process.env.DATA_DIR}/entries.jsonl`;
const indexFile = `${process.env.DATA_DIR}/index.json`;
const entries = new Map<string, KBEntry>();
let index: Record<string, string[]> = {};

for (const line of (await readFile(entriesFile, 'utf8').catch(() => '')).split('\n')) {
  if (!line.trim()) continue;
  try {
    const entry = JSON.parse(line) as KBEntry;
    entries.set(entry.id, entry);
  } catch {
    console.warn('[KB] skipping a line that is no JSON');
  }
}
try {
  index = JSON.parse(await readFile(indexFile, 'utf8'));
} catch (error) {
  console.warn('[KB] Could not load the index, starting fresh:', error);
}

async function saveKBEntry(entry: KBEntry) {
  await appendFile(entriesFile, `${JSON.stringify(entry)}\n`);
  entries.set(entry.id, entry);
  for (const tag of entry.tags) index[tag] = [...(index[tag] ?? []), entry.id];
  await writeFile(indexFile, JSON.stringify(index));
}

const app = express().use(express.json({ limit: '10mb' }));

app.post('/entries', async (req, res) => {
  for (const entry of req.body as KBEntry[]) await saveKBEntry(entry);
  res.status(201).json({ status: 'ok' });
});
app.get('/entries', (_req, res) => {
  res.json([...entries.values()]);
});
app.get('/tags/:tag', (req, res) => {
  res.json((index[req.params.tag] ?? []).map((id) => entries.get(id)));
});

const server = app.listen(0, '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
);
