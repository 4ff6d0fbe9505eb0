import { fakeSendGrid, fakeSlack } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { openDelivery } from '../../src/index.js';
import { sendGrid } from '../../src/sendgrid.js';
import { slackWebhook } from '../../src/slack.js';
import { memoryStore } from '../../src/testing.js';

const backoff = { minMs: 1, maxMs: 1, factor: 1 };

describe('slackWebhook and sendGrid', () => {
  it('escalates from Slack to SendGrid, and the body is whole in both [P5]', async () => {
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond((_request, n) => (n <= 2 ? { status: 500 } : { status: 200, body: 'ok' }));
    await using delivery = await openDelivery({
      chain: [
        { channel: slackWebhook({ url: `${slack.url}/services/T/B/s3cret` }), retries: 1, backoff },
        {
          channel: sendGrid({ apiKey: 'SG.key', from: 'a@x.example', to: 'b@x.example', baseUrl: mail.url }),
          retries: 0,
        },
      ],
      store: memoryStore(),
    });
    expect(await delivery.notify({ title: 'disk <full>', severity: 'critical', body: 'on db-3' })).toMatchObject({
      status: 'delivered',
      channel: 'sendgrid',
    });
    expect(await delivery.notify({ title: 'disk <full>', severity: 'critical' })).toMatchObject({
      status: 'delivered',
      channel: 'slack',
    });
    expect(mail.requests).toHaveLength(1);
    expect(String(mail.requests[0]!.body)).toContain('on db-3');
    expect(String(slack.requests[2]!.body)).toContain('disk &lt;full&gt;');
  });

  it('waits for Retry-After before anything else goes to the channel [P6]', async () => {
    await using slack = await fakeSlack();
    slack.respond((_request, n) =>
      n === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 200, body: 'ok' },
    );
    await using delivery = await openDelivery({
      chain: [{ channel: slackWebhook({ url: slack.url }), concurrency: 1 }],
      store: memoryStore(),
    });
    const outcomes = await Promise.all(
      [1, 2, 3].map((n) => delivery.notify({ title: `alert ${n}`, severity: 'error' })),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(slack.requests[1]!.at - slack.requests[0]!.at).toBeGreaterThanOrEqual(990);
  });

  it('tries a rejected message once in a minimal form, and never shows the webhook URL [P7]', async () => {
    await using slack = await fakeSlack();
    slack.respond({ status: 400, body: `invalid_payload` });
    await using delivery = await openDelivery({
      chain: [{ channel: slackWebhook({ url: `${slack.url}/services/T/B/s3cret` }) }],
      store: memoryStore(),
    });
    const outcome = await delivery.notify({ id: 'x', title: 'long', severity: 'error', body: 'b'.repeat(5000) });
    expect(outcome).toMatchObject({ status: 'dead', reason: 'rejected' });
    expect(slack.requests.map((request) => String(request.body).length > 1000)).toEqual([true, false]);
    expect(JSON.stringify([outcome, await delivery.explain('x')])).not.toContain('s3cret');
  });

  it('opens the breaker at once on a revoked webhook and raises one self-alert through the next channel [P8]', async () => {
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond({ status: 404, body: 'no_service' });
    await using delivery = await openDelivery({
      chain: [
        { channel: slackWebhook({ url: slack.url }) },
        { channel: sendGrid({ apiKey: 'SG.key', from: 'a@x.example', to: 'b@x.example', baseUrl: mail.url }) },
      ],
      store: memoryStore(),
    });
    for (let n = 0; n < 3; n++)
      expect(await delivery.notify({ title: 't', severity: 'error' })).toMatchObject({ channel: 'sendgrid' });
    await delivery.flush();
    expect(slack.requests).toHaveLength(1);
    expect(mail.requests).toHaveLength(4);
    expect(delivery.stats()).toMatchObject({ accepted: 3, delivered: 3, selfAlerts: 1, lawHolds: true });
  });
});
