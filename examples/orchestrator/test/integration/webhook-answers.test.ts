import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually, fakeSlack, needs, startMongod, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const alert = (alertname: string) => ({ status: 'firing', labels: { alertname } });
const post = (groupKey: string, more: object = {}) => ({
  version: '4',
  groupKey,
  receiver: 'r',
  alerts: [alert(groupKey)],
  ...more,
});

describe('POST /webhook/alerts answers', () => {
  it('200 for what is odd but usable, 400 for what is not, and never a redirect [P19]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const usable: [string, unknown, Record<string, string>?][] = [
      ['a newer version', post('a', { version: '9', notification_reason: 'x', routeLabels: {}, deep: { er: [1] } })],
      ['no groupKey', { alerts: [alert('b')] }],
      ['a wrong content type', post('c'), { 'content-type': 'text/html' }],
      ['a key header beside a groupKey', post('d'), { 'idempotency-key': '{{ .GroupKey }}' }],
      ['labels that are numbers', { alerts: [{ labels: { alertname: 'e', port: 9100 } }] }],
      ['a label named __proto__', '{"alerts":[{"labels":{"alertname":"f","__proto__":"polluted","constructor":"x"}}]}'],
    ];
    for (const [what, body, headers] of usable) {
      const answer = await app.post('/webhook/alerts', body, headers);
      expect([what, answer.status, answer.json().accepted]).toEqual([what, 200, 1]);
    }
    for (const oddity of ['version 9', 'no groupKey']) {
      await app.post(
        '/webhook/alerts',
        oddity === 'no groupKey' ? { alerts: [alert('h')] } : post('i', { version: '9' }),
      );
      // Once, however often it comes.
      const lines = app.proc.stdout.split('\n').filter((line) => line.includes(`"oddity":"${oddity}"`));
      expect([oddity, lines.length]).toEqual([oddity, 1]);
    }
    expect((await app.post('/webhook/alerts/', post('slash'))).json()).toMatchObject({ status: 'ok', accepted: 1 });
    const zipped = await fetch(`${app.url}/webhook/alerts`, {
      method: 'POST',
      body: gzipSync(JSON.stringify(post('gzip'))),
      headers: { 'content-encoding': 'gzip' },
    });
    expect(zipped.status).toBe(200);

    const bad: [string, string][] = [
      ['{"alerts":[', 'invalid_json'],
      ['\u0000', 'invalid_json'],
      ['', 'invalid_payload'],
      ['null', 'invalid_payload'],
      ['{}', 'no_alerts'],
      ['{"alerts":[]}', 'no_alerts'],
      [`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`, 'too_deep'],
    ];
    for (const [body, code] of bad) {
      const answer = await app.post('/webhook/alerts', body);
      expect([body.slice(0, 20), answer.status, answer.json().error.code]).toEqual([body.slice(0, 20), 400, code]);
      expect((await app.call('/livez')).status).toBe(200);
    }
    const { refused, needs: things } = (await app.call('/api/overview')).json();
    expect(refused.count).toBe(bad.length);
    expect(refused.newest.at(-1).why).toContain('levels');
    expect(things).toContainEqual(expect.objectContaining({ kind: 'refused', count: bad.length }));
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await fetch(`${app.url}/webhook/alerts`, { method, redirect: 'manual' });
      expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'POST']);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const burst = await fetch(`${app.url}/webhook/alerts`, {
      method: 'POST',
      body: bomb,
      headers: { 'content-encoding': 'gzip' },
    });
    expect(burst.status).toBe(413);
    expect((await app.call('/livez')).status).toBe(200);
  });

  it('503 for a body that is too slow, keeps on working for a sender that went away, and 503 while it stops [P20]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      WEBHOOK_TIMEOUT_MS: '1500',
      READINESS_DELAY_MS: '0',
    });
    await using _proc = app.proc;
    const slow = raw(app.port, 'POST /webhook/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{');
    expect(await slow).toMatch(/^HTTP\/1\.1 503/);

    const body = JSON.stringify(post('gone'));
    const socket = connect(app.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`POST /webhook/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`, () =>
      socket.destroy(),
    );
    await slack.waitForRequests(1);
    expect((await app.post('/webhook/alerts', post('gone'))).json()).toMatchObject({ accepted: 0, duplicates: 1 });

    const held = connect(app.port, '127.0.0.1');
    let text = '';
    held.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const late = JSON.stringify(post('late'));
    held.write(
      `POST /webhook/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: ${late.length}\r\n\r\n${late.slice(0, -1)}`,
    );
    await app.call('/livez');
    app.proc.signal('SIGTERM');
    await app.proc.waitFor('starting graceful shutdown');
    await app.proc.waitFor('drain');
    held.write(late.slice(-1));
    await eventually(() => text.startsWith('HTTP/1.1 503') && /connection: close/i.test(text));
    expect((await app.proc.exited).code).toBe(0);
  });

  it.skipIf(!needs('mongod'))(
    'while the database is away: 200 when a channel took it, 503 when none did, and /health says why [P21]',
    async () => {
      await using mongod = await startMongod({ replSet: true });
      await using dir = await tempDir();
      await using slack = await fakeSlack();
      const app = await startOrchestrator(dir.path, {
        SLACK_WEBHOOK_URL: slack.url,
        MONGODB_URI: `${mongod.uriFor('away')}&serverSelectionTimeoutMS=2000`,
        CHANNEL_RETRIES: '0',
        CHANNEL_TIMEOUT_MS: '1000',
        WEBHOOK_TIMEOUT_MS: '30000',
      });
      await using _proc = app.proc;
      await mongod.kill();
      const told = await app.post('/webhook/alerts', post('database-down'));
      expect([told.status, slack.requests.length]).toEqual([200, 1]);
      slack.respond({ status: 500 });
      const untold = await app.post('/webhook/alerts', post('nobody-hears'));
      expect([untold.status, untold.json().error.code]).toEqual([503, 'delivery_store_failed']);
      expect((await app.call('/readyz')).status).toBe(200);
      expect(await eventually(async () => (await app.call('/health')).json().status)).toBe('degraded');
    },
    90_000,
  );
});

/** Sends bytes and resolves with everything that came back. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {}).on('close', () => resolve(text));
  });
}
