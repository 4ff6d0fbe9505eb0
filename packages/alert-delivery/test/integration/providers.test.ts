import { createHmac } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, it } from 'vitest';
import { type Channel, isChannelError, openDelivery, type SendContext, type StoredAlert } from '../../src/index.js';
import { pagerDuty } from '../../src/pagerduty.js';
import { sendGrid } from '../../src/sendgrid.js';
import { signedWebhook } from '../../src/signed-webhook.js';
import { slackWebhook } from '../../src/slack.js';
import { smtp } from '../../src/smtp.js';
import { type FakeProvider, fakeProvider, memoryStore, PROVIDER_RULES, type ProviderKind } from '../../src/testing.js';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}` as const;
const alert: StoredAlert = { id: 'a-1', title: 'disk <full> 💾', severity: 'error', body: 'on db-3', dedupKey: 'disk' };
const context = (over: Partial<SendContext> = {}): SendContext => ({
  signal: new AbortController().signal,
  attempt: 1,
  idempotencyKey: 'key-1',
  remainingMs: 5000,
  maybeRepeat: false,
  minimal: false,
  recovered: false,
  ...over,
});
const channels: Record<ProviderKind, (url: string) => Channel> = {
  slack: (url) => slackWebhook({ url }),
  sendgrid: (baseUrl) => sendGrid({ apiKey: 'SG.key', from: 'a@x.example', to: 'b@x.example', baseUrl }),
  pagerduty: (baseUrl) => pagerDuty({ routingKey: 'routing-key-1', baseUrl }),
  webhook: (url) => signedWebhook({ url, secret }),
};
const verdictOf = async (send: Promise<unknown>): Promise<string> => {
  try {
    await send;
    return 'delivered';
  } catch (error) {
    return isChannelError(error) ? error.verdict.kind : `not a ChannelError: ${String(error)}`;
  }
};
const json = (provider: FakeProvider, n: number): Record<string, never> =>
  JSON.parse(provider.requests[n]!.body) as never;

/** Answers that the providers document, and one that each must take for what it is. */
const CONTRACT: readonly [ProviderKind, number, string, string][] = [
  ['slack', 400, 'invalid_payload', 'rejected'],
  ['slack', 400, 'user_not_found', 'rejected'],
  ['slack', 403, 'action_prohibited', 'channelDown'],
  ['slack', 403, 'invalid_token', 'channelDown'],
  ['slack', 404, 'channel_not_found', 'channelDown'],
  ['slack', 404, 'no_service', 'channelDown'],
  ['slack', 410, 'channel_is_archived', 'channelDown'],
  ['slack', 429, '', 'throttled'],
  ['slack', 500, 'rollup_error', 'transient'],
  ['slack', 503, '', 'transient'],
  ['slack', 302, '', 'channelDown'],
  ['sendgrid', 400, '', 'rejected'],
  ['sendgrid', 401, '', 'channelDown'],
  ['sendgrid', 403, '', 'channelDown'],
  ['sendgrid', 413, '', 'rejected'],
  ['sendgrid', 429, '', 'throttled'],
  ['sendgrid', 500, '', 'transient'],
  ['pagerduty', 400, '{"errors":["Length of \'summary\' is too long"]}', 'rejected'],
  ['pagerduty', 400, '{"errors":["Invalid routing key"]}', 'channelDown'],
  ['pagerduty', 413, '', 'rejected'],
  ['pagerduty', 429, '', 'throttled'],
  ['pagerduty', 503, '', 'transient'],
  ['webhook', 400, '', 'rejected'],
  ['webhook', 401, '', 'channelDown'],
  ['webhook', 410, '', 'channelDown'],
  ['webhook', 413, '', 'rejected'],
  ['webhook', 429, '', 'throttled'],
  ['webhook', 502, '', 'transient'],
  ['webhook', 408, '', 'transient'],
];

describe('providers', () => {
  it('reads every documented answer of every provider as its table says, and every row is exercised [P28]', async () => {
    for (const kind of ['slack', 'sendgrid', 'pagerduty', 'webhook'] as const) {
      await using provider = await fakeProvider(kind);
      const channel = channels[kind](provider.url);
      const rows = CONTRACT.filter(([of]) => of === kind);
      for (const [, status, body, verdict] of rows) {
        provider.script([{ status, body, headers: { 'retry-after': '2' } }]);
        expect([kind, status, body, await verdictOf(channel.send(alert, context()))]).toEqual([
          kind,
          status,
          body,
          verdict,
        ]);
      }
      const own = PROVIDER_RULES[kind];
      const unused = own.filter(
        (row) => !rows.some(([, status, body]) => row.status === status && (row.body?.test(body) ?? true)),
      );
      expect(unused.filter((row) => row.status !== 409 && !(kind === 'slack' && row.status === 413))).toEqual([]);
      provider.script([{ reset: true }]);
      const reset: unknown = await channel.send(alert, context()).catch((error: unknown) => error);
      expect(isChannelError(reset)).toBe(false);
      provider.script([]);
      expect(await verdictOf(channel.send(alert, context()))).toBe('delivered');
    }
  });

  it('keeps to the payload limits of every provider, cut between characters, and to 1 KB in the minimal form [P29]', async () => {
    const huge: StoredAlert = {
      ...alert,
      title: '💾'.repeat(3000),
      body: '語'.repeat(400_000),
      data: { x: 'é'.repeat(400_000) },
    };
    for (const kind of ['slack', 'sendgrid', 'pagerduty', 'webhook'] as const) {
      await using provider = await fakeProvider(kind, { secret });
      const channel = channels[kind](provider.url);
      expect([kind, await verdictOf(channel.send(huge, context()))]).toEqual([kind, 'delivered']);
      expect(await verdictOf(channel.send(huge, context({ minimal: true })))).toBe('delivered');
      const [whole, minimal] = provider.requests.map((request) => request.body);
      expect(Buffer.from(whole!).toString()).toBe(whole);
      expect(whole).not.toContain('\ufffd');
      expect(Buffer.byteLength(whole!)).toBeLessThan(kind === 'sendgrid' ? 600_000 : 512_000);
      expect(Buffer.byteLength(minimal!)).toBeLessThanOrEqual(1024);
    }
  });

  it('triggers and resolves one PagerDuty incident by its dedup_key [P30]', async () => {
    await using provider = await fakeProvider('pagerduty');
    const channel = channels.pagerduty(provider.url);
    await channel.send({ ...alert, status: 'firing', data: { host: 'db-3' } }, context());
    await channel.send({ ...alert, id: 'a-2', status: 'resolved' }, context());
    await channel.send({ id: 'k'.repeat(400), title: 't', severity: 'info' }, context());
    expect(json(provider, 0)).toEqual({
      routing_key: 'routing-key-1',
      event_action: 'trigger',
      dedup_key: 'disk',
      payload: {
        summary: 'disk <full> 💾',
        source: 'holdfast',
        severity: 'error',
        custom_details: { id: 'a-1', body: 'on db-3', data: { host: 'db-3' } },
      },
    });
    expect(json(provider, 1)).toEqual({ routing_key: 'routing-key-1', event_action: 'resolve', dedup_key: 'disk' });
    expect(String(json(provider, 2).dedup_key)).toMatch(/^[0-9a-f]{64}$/);
    expect([channel.paging, channel.folds, channel.idempotent]).toEqual([true, false, true]);
  });

  it('signs a webhook as Standard Webhooks says, with one id for every attempt [P31]', async () => {
    await using provider = await fakeProvider('webhook', { secret });
    const channel = channels.webhook(provider.url);
    await channel.send({ ...alert, status: 'firing' }, context());
    await channel.send({ ...alert, status: 'firing' }, context({ attempt: 2, maybeRepeat: true }));
    const [first, second] = provider.requests;
    expect(first!.headers['webhook-id']).toBe('key-1');
    expect(second!.headers['webhook-id']).toBe('key-1');
    const { 'webhook-timestamp': at, 'webhook-signature': signature } = first!.headers;
    const key = Buffer.alloc(32, 7);
    expect(signature).toBe(
      `v1,${createHmac('sha256', key)
        .update(`key-1.${String(at)}.${first!.body}`)
        .digest('base64')}`,
    );
    expect(json(provider, 1)).toMatchObject({ type: 'alert.firing', data: { id: 'a-1', maybeRepeat: true } });
    const wrong = signedWebhook({ url: provider.url, secret: `whsec_${Buffer.alloc(32, 8).toString('base64')}` });
    expect(await verdictOf(wrong.send(alert, context()))).toBe('channelDown');
  });

  it('refuses channel options that can not work, by name and without showing a secret [P32]', () => {
    const bad: [() => unknown, string][] = [
      [() => slackWebhook({ url: 'not a url s3cret' }), 'url'],
      [() => sendGrid({ apiKey: '', from: 'a@x', to: 'b@x' }), 'apiKey'],
      [() => pagerDuty({ routingKey: '' }), 'routingKey'],
      [() => pagerDuty({ routingKey: 's3cret', baseUrl: 'x' }), 'baseUrl'],
      [() => signedWebhook({ url: 'https://x.example', secret: 'whsec_s3cret' }), 'secret'],
      [() => smtp({ transport: {} as never, from: 'a@x', to: 'b@x' }), 'transport'],
      [() => smtp({ transport: { sendMail: async () => undefined }, from: 'a@x', to: [] }), 'to'],
    ];
    for (const [make, name] of bad) {
      expect(make).toThrow(expect.objectContaining({ code: 'DELIVERY_INVALID_OPTION' }) as Error);
      expect(make).toThrow(new RegExp(`: ${name} `));
      expect(make).not.toThrow(/s3cret/);
    }
  });

  it('reads or cancels the body of every failed answer, so that no socket is left behind [P33]', async () => {
    await using provider = await fakeProvider('slack');
    const channel = channels.slack(provider.url);
    provider.script(() => ({ status: 503, body: 'x'.repeat(100_000) }));
    for (let n = 0; n < 15; n++)
      await Promise.all(Array.from({ length: 20 }, () => verdictOf(channel.send(alert, context()))));
    expect(provider.requests).toHaveLength(300);
    await expect.poll(() => provider.connections(), { timeout: 10_000 }).toBeLessThanOrEqual(40);
  });
});

describe('smtp', () => {
  let servers: SMTPServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    servers = [];
  });
  const start = async (options: SMTPServerOptions): Promise<{ port: number; mails: string[] }> => {
    const mails: string[] = [];
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      logger: false,
      onData(stream, _session, done) {
        let text = '';
        stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
        stream.on('end', () => {
          mails.push(text);
          done();
        });
      },
      ...options,
    });
    server.on('error', () => undefined);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: (server.server.address() as { port: number }).port, mails };
  };
  const refusal = (responseCode: number, text = 'no'): Error => Object.assign(new Error(text), { responseCode });
  const mailer = (port: number, more: object = {}): Channel =>
    smtp({
      transport: createTransport({ host: '127.0.0.1', port, ...more }),
      from: 'alerts@x.example',
      to: ['ops@x.example', 'boss@x.example'],
    });

  it('sends a mail in a real SMTP conversation, with the same Message-ID for every attempt [P34]', async () => {
    const { port, mails } = await start({});
    const channel = mailer(port);
    expect(await channel.send(alert, context())).toMatchObject({ id: '<key-1@x.example>', rejected: [] });
    await channel.send(alert, context({ attempt: 2, maybeRepeat: true }));
    expect(mails[0]).toContain('X-Holdfast-Key: key-1');
    expect(mails[0]).toContain('on db-3');
    expect(mails.every((mail) => mail.includes('Message-ID: <key-1@x.example>'))).toBe(true);
    expect(mails[1]).toContain('may be a repeat');
  });

  it('tells from the conversation what an SMTP failure means [P35]', async () => {
    const cases: [string, SMTPServerOptions, object, string][] = [
      ['450 at RCPT', { onRcptTo: (_a, _s, done) => done(refusal(450)) }, {}, 'transient'],
      ['550 at RCPT', { onRcptTo: (_a, _s, done) => done(refusal(550)) }, {}, 'channelDown'],
      ['530 at MAIL', { onMailFrom: (_a, _s, done) => done(refusal(530)) }, {}, 'channelDown'],
      [
        '554 after DATA',
        { onData: (stream, _s, done) => stream.resume().on('end', () => done(refusal(554))) },
        {},
        'rejected',
      ],
      [
        '451 after DATA',
        { onData: (stream, _s, done) => stream.resume().on('end', () => done(refusal(451))) },
        {},
        'transient',
      ],
      [
        'a connection cut after the dot',
        { onData: (stream, session) => void stream.resume().on('end', () => cut(session.id)) },
        {},
        'ambiguous',
      ],
      [
        'a wrong password',
        { authOptional: false, onAuth: (_a, _s, done) => done(refusal(535)) },
        { auth: { user: 'u', pass: 'canary-smtp-password' } },
        'channelDown',
      ],
    ];
    const cut = (id: string): void => {
      for (const connection of servers.at(-1)!.connections)
        if ((connection as { id: string }).id === id)
          (connection as { _socket: { destroy(): void } })._socket.destroy();
    };
    for (const [name, options, more, verdict] of cases) {
      const { port } = await start(options);
      expect([name, await verdictOf(mailer(port, more).send(alert, context()) as Promise<unknown>)]).toEqual([
        name,
        verdict,
      ]);
    }
    expect(await verdictOf(mailer(1).send(alert, context()) as Promise<unknown>)).toBe('transient');
  });

  it('takes a partly accepted mail as delivered, names who was refused, and tells it [P36]', async () => {
    const { port } = await start({
      onRcptTo: (address, _session, done) => done(address.address.startsWith('boss') ? refusal(550) : undefined),
    });
    const events: unknown[] = [];
    await using delivery = await openDelivery({
      chain: [{ channel: mailer(port) }],
      store: memoryStore(),
      onEvent: (event) => events.push(event),
    });
    expect(await delivery.notify({ id: 'x', title: 't', severity: 'error' })).toMatchObject({ status: 'delivered' });
    expect(events).toContainEqual({ type: 'delivery.partial', id: 'x', channel: 'smtp', rejected: 1 });
    expect((await delivery.explain('x'))?.events.at(-1)).toMatchObject({ rejected: ['boss@x.example'] });
  });
});
