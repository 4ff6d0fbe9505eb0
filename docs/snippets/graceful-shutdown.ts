import assert from 'node:assert/strict';

const closed: string[] = [];
const openDatabase = async () => ({
  read: async () => ({ ok: true }),
  assertHealthy() {},
  close: async () => void closed.push('db'),
});

// #region run
import { createServer } from 'node:http';
import { createLifecycle } from '@holdfast/graceful-shutdown';
import { deadlineSignal, requestDeadline } from '@holdfast/graceful-shutdown/express';
import { healthHandler } from '@holdfast/graceful-shutdown/health';
import express from 'express';

const lifecycle = createLifecycle({ drainTimeoutMs: 30_000, readinessDelayMs: 0 });

const db = lifecycle.add('db', {
  start: () => openDatabase(), // stopped by its own close()
  check: (value) => value.assertHealthy(), // throws: /health says degraded
});

const app = express();
app.use(healthHandler(lifecycle)); // /livez, /readyz, /health
app.use(requestDeadline({ handlerMs: 10_000, bodyMs: 5_000 }));
app.get('/', async (request, response) => {
  const signal = deadlineSignal(request); // give it to fetch, to the database driver …
  signal.throwIfAborted();
  response.json(await db.value.read());
});

lifecycle.http('http', createServer(app), { listen: { port: 0 }, dependsOn: ['db'] });
// #endregion run

// #region job
const cleanUp = (signal: AbortSignal) =>
  lifecycle.job('clean-up', async () => {
    for (let batch = 0; batch < 10 && !signal.aborted; batch++) await new Promise(setImmediate);
  });
// #endregion job

await lifecycle.start();
await cleanUp(lifecycle.signal);
const report = await lifecycle.shutdown('the page is over');
assert.equal(report.exitCode, 0);
assert.deepEqual(closed, ['db']);
