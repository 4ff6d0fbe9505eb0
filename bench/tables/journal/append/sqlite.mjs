// A child of journal/append: the records of all writers in one transaction (with one writer: each in its own), timed.
import { DatabaseSync } from 'node:sqlite';

const RECORD_BYTES = 600;
const db = new DatabaseSync(process.argv[2]);
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (id TEXT PRIMARY KEY, json TEXT)');
const insert = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)');

process.on('message', ({ writers, each }) => {
  const waits = [];
  const started = performance.now();
  for (let n = 0; n < each; n++) {
    const from = performance.now();
    if (writers > 1) db.exec('BEGIN');
    for (let writer = 0; writer < writers; writer++) {
      const id = `entry-${writer * each + n}`;
      const text = String(writer * each + n).padEnd(RECORD_BYTES - 40, '.');
      insert.run(id, JSON.stringify({ id, text }));
    }
    if (writers > 1) db.exec('COMMIT');
    const wait = performance.now() - from;
    for (let writer = 0; writer < writers; writer++) waits.push(wait);
  }
  const ms = performance.now() - started;
  waits.sort((a, b) => a - b);
  const at = (part) => waits[Math.min(waits.length - 1, Math.floor(waits.length * part))];
  process.send({ perSecond: (waits.length / ms) * 1000, p50Ms: at(0.5), p99Ms: at(0.99) });
});
process.send({ version: process.versions.node });
