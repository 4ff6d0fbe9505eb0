import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeSendGrid, fakeSlack } from '@holdfast/testkit';

const slack = await fakeSlack();
const mail = await fakeSendGrid();
slack.respond({ status: 404, body: 'no_service' });
const dir = join(await mkdtemp(join(tmpdir(), 'holdfast-')), 'journal');
const env = { slackUrl: slack.url, sendGridKey: 'SG.key' };

// #region open
import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { sendGrid } from '@holdfast/alert-delivery/sendgrid';
import { slackWebhook } from '@holdfast/alert-delivery/slack';

const delivery = await openDelivery({
  store: fileStore({ dir }),
  chain: [
    { channel: slackWebhook({ url: env.slackUrl }) },
    {
      channel: sendGrid({
        apiKey: env.sendGridKey,
        from: 'alerts@example.com',
        to: 'ops@example.com',
        baseUrl: mail.url,
      }),
    },
  ],
  critical: ({ alert, reason }) => console.error('reached nobody', alert.id, reason),
});

// Durable once it resolves; delivery goes on by itself. The same id is the same alert, also after a restart.
await delivery.accept({ id: 'incident-7', title: 'Disk full on node 1', severity: 'critical' });
// #endregion open

await delivery.flush();

// #region explain
const timeline = await delivery.explain('incident-7'); // every attempt, verdict and pause
const { accepted, delivered, dead, pending, coalesced, evicted, lawHolds } = delivery.stats();
// #endregion explain

assert.ok(timeline);
assert.equal(delivered, 1, 'by mail');
assert.equal(accepted, delivered + dead + pending + coalesced + evicted);
assert.equal(lawHolds, true);

// #region channel
import { type Channel, ChannelError } from '@holdfast/alert-delivery';

/** Any HTTP API that takes an idempotency key. */
const pager = (url: string): Channel => ({
  name: 'pager',
  idempotent: true, // a repeat with the same key is not shown twice: retrying an unknown outcome is safe
  async send(alert, { signal, idempotencyKey }) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ title: alert.title }),
      signal,
    });
    await answer.body?.cancel(); // an unread body holds its socket
    if (answer.status === 429) throw new ChannelError('slow down', { kind: 'throttled', retryAfterMs: 30_000 });
    if (answer.status === 401) throw new ChannelError('the key is refused', { kind: 'channelDown' });
    if (!answer.ok) throw new ChannelError(`HTTP ${answer.status}`, { kind: 'transient' });
  },
});
// #endregion channel

assert.equal(pager('http://127.0.0.1:9').name, 'pager');
await delivery.close();
await slack.close();
await mail.close();
