import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually, fakeSendGrid, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { buildPage } from './build-page.js';
import { startOrchestrator } from './start-orchestrator.js';

const TOKEN = 'canary-token-7f3a';
const KEY = 'SG.canary-key-91bc';
const auth = { authorization: `Bearer ${TOKEN}` };
const HOSTILE =
  '<script>x</script> <!channel> [a](javascript:b) \u001b[31mred\u202Eevil\r\nBcc: all@example.com\n---\n# {{7*7}}';

describe('attacks', () => {
  it('hostile text in labels stays text in logs, in Slack, in the subject of a mail and in MEMORY.md [P37]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      SENDGRID_API_KEY: KEY,
      SENDGRID_API_URL: mail.url,
      ALERT_EMAIL_FROM: 'a@example.com',
      ALERT_EMAIL_TO: 'b@example.com',
      CHANNEL_RETRIES: '0',
    });
    await using _proc = app.proc;
    const hostile = {
      labels: { alertname: HOSTILE, [HOSTILE]: HOSTILE },
      annotations: { summary: HOSTILE, runbook_url: 'javascript:x' },
    };
    await app.post('/webhook/alerts', {
      groupKey: HOSTILE,
      receiver: HOSTILE,
      externalURL: HOSTILE,
      alerts: [hostile],
    });
    await app.post('/webhook/alerts', `{"alerts":${JSON.stringify(HOSTILE)}}`);
    const [message] = await slack.waitForRequests(1);
    expect(message!.body).not.toContain('<!channel>');
    expect(message!.body).not.toContain('<script>');
    slack.respond({ status: 500 });
    await app.post('/webhook/alerts', { alerts: [hostile] });
    const [sent] = await mail.waitForRequests(1);
    expect(JSON.parse(sent!.body).subject ?? JSON.parse(sent!.body).personalizations?.[0]?.subject).not.toMatch(
      /[\r\n]/,
    );

    await app.post('/api/memory/consolidate', {});
    const memory = await readFile(join(dir.path, 'MEMORY.md'), 'utf8');
    expect(memory).not.toContain('<script>');
    expect(memory).not.toContain('](javascript:');
    expect(memory).not.toMatch(/^---/m);
    expect(memory.split('\n').filter((line) => line.startsWith('# '))).toEqual(['# Memory']);
    for (const text of [app.proc.stdout, memory]) {
      expect(text.includes('\u001b')).toBe(false);
      expect(text.includes('\u202E')).toBe(false);
    }
    for (const line of app.proc.stdout.split('\n').filter((each) => each.startsWith('{'))) JSON.parse(line);
  });

  it('secrets are in no log, no metric, no page and no answer [P38]', async () => {
    await buildPage();
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond({ status: 500, body: `no: ${slack.url}` });
    mail.respond({ status: 401, body: `bad key ${KEY}` });
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      SENDGRID_API_KEY: KEY,
      SENDGRID_API_URL: mail.url,
      ALERT_EMAIL_FROM: 'a@example.com',
      ALERT_EMAIL_TO: 'b@example.com',
      API_TOKEN: TOKEN,
      CHANNEL_RETRIES: '0',
      LOG_LEVEL: 'trace',
    });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', { groupKey: 'g', alerts: [{ labels: { alertname: 'A' } }] }, auth);
    await eventually(async () => (await app.call('/api/dead-letters', { headers: auth })).json().total === 1);
    await app.call('/login', {
      method: 'POST',
      body: `token=${TOKEN}`,
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    const answers = [];
    for (const path of [
      '/',
      '/metrics',
      '/health',
      '/livez',
      '/readyz',
      '/openapi.json',
      '/api/overview',
      '/api/alerts',
      '/api/dead-letters',
      '/api/persistence/export',
      '/api/knowledge/export',
    ]) {
      answers.push((await app.call(path, { headers: auth })).text);
    }
    const kept = await readFile(join(dir.path, 'failed-alerts.jsonl'), 'utf8');
    for (const text of [...answers, app.proc.stdout, app.proc.stderr, kept]) {
      for (const secret of [TOKEN, KEY, '/services/T000/B000/testtesttest']) expect(text).not.toContain(secret);
    }
  });

  it('sends the headers that keep a page to itself, and exports as attachments [P39]', async () => {
    await buildPage();
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const page = await fetch(app.url);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'",
    );
    expect(await page.text()).not.toMatch(/<script(?![^>]*\bsrc=)|style=|\son\w+=/);
    for (const path of ['/', '/api/alerts', '/api/overview', '/api/knowledge/export']) {
      const { headers } = await fetch(app.url + path);
      expect([path, headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual([
        path,
        'no-store',
        'nosniff',
      ]);
      expect(headers.get('x-powered-by')).toBe(null);
      expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
    }
    const named = await fetch(`${app.url}/livez`, { headers: { 'x-request-id': 'mine-1' } });
    expect(named.headers.get('x-request-id')).toBe('mine-1');
    const odd = await fetch(`${app.url}/livez`, { headers: { 'x-request-id': 'a b"<script>' } });
    expect(odd.headers.get('x-request-id')).not.toContain('<');
    for (const path of ['/api/knowledge/export', '/api/persistence/export', '/api/knowledge/export?format=markdown']) {
      expect((await fetch(app.url + path)).headers.get('content-disposition')).toMatch(/^attachment/);
    }
  });

  it('takes changes from this page and from programs only; a cookie alone changes nothing [P40]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TOKEN: TOKEN, TRUST_PROXY: '1' });
    await using _proc = app.proc;
    const entry = { title: 'x' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const headers of [
      { origin: 'http://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'null' },
    ]) {
      expect((await app.post('/api/knowledge/entries', entry, { ...auth, ...headers })).status).toBe(403);
      expect((await app.post('/login', `token=${TOKEN}`, { ...form, ...headers })).status).toBe(403);
    }
    const login = await fetch(`${app.url}/login`, {
      method: 'POST',
      body: `token=${TOKEN}`,
      redirect: 'manual',
      headers: { ...form, 'x-forwarded-proto': 'https' },
    });
    expect(login.status).toBe(303);
    const set = login.headers.get('set-cookie')!;
    expect(set).toMatch(/HttpOnly/);
    expect(set).toMatch(/SameSite=Lax/);
    expect(set).toMatch(/Secure/);
    const cookie = set.split(';')[0]!;
    const json = { 'content-type': 'application/json', cookie };
    expect((await app.call('/api/alerts', { headers: { cookie } })).status).toBe(200);
    expect((await app.post('/api/knowledge/entries', entry, { cookie })).status).toBe(403);
    expect((await app.post('/api/knowledge/entries', entry, json)).status).toBe(403);
    expect(
      (await app.post('/api/knowledge/entries', entry, { ...json, origin: app.url, 'content-type': 'text/plain' }))
        .status,
    ).toBe(403);
    expect((await app.post('/api/knowledge/entries', entry, { ...json, origin: app.url })).status).toBe(201);
    const [id, end, signature] = cookie.split('=')[1]!.split('.');
    for (const forged of [`${id}.zzzzzzzzzz.${signature}`, `${id}.${end}.`, `x.${end}.${signature}`, '', 'a.b.c.d']) {
      expect((await app.call('/api/alerts', { headers: { cookie: `holdfast_session=${forged}` } })).status).toBe(401);
    }
  });

  it('slows down who guesses tokens, and nobody else [P41]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TOKEN: TOKEN });
    await using _proc = app.proc;
    const login = (token: string) =>
      app.call('/login', {
        method: 'POST',
        body: `token=${token}`,
        redirect: 'manual',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    for (let n = 0; n < 10; n++) expect((await login('wrong')).status).toBe(401);
    expect((await login('wrong')).status).toBe(429);
    expect((await login(TOKEN)).status).toBe(429);
    for (let n = 0; n < 30; n++)
      expect((await app.post('/webhook/alerts', {}, { authorization: 'Bearer no' })).status).toBe(401);
    expect((await app.post('/webhook/alerts', { alerts: [{ labels: { alertname: 'A' } }] }, auth)).status).toBe(200);
  });

  it('serves at most 50 streams, goes on where one was cut, and ends them first when it stops [P42]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const { position } = (await app.call('/api/overview')).json();
    await app.post('/webhook/alerts', { groupKey: 'g', alerts: [{ labels: { alertname: 'Live' } }] });
    const streams = await Promise.all(Array.from({ length: 50 }, () => stream(app.port)));
    expect((await app.call('/api/events')).json().error.code).toBe('too_many_streams');
    expect((await app.call('/livez')).status).toBe(200);
    await eventually(() => streams.every(({ text }) => text().includes('event: overview')));
    // Nothing on the way may hold events back.
    expect(streams[0]!.text()).toMatch(/^x-accel-buffering: no\r$/im);
    expect(streams[0]!.text()).toMatch(/^cache-control: no-store, no-transform\r$/im);
    expect(streams[0]!.text()).not.toMatch(/^content-encoding:/im);
    // The page takes a stream without this for dead after 35 s; the first one comes at once.
    await eventually(() => streams.every(({ text }) => text().includes('event: beat\ndata: {}\n\n')));
    streams.pop()!.close();
    const back = await eventually(async () => {
      const next = await stream(app.port, { 'last-event-id': position });
      if (next.text().startsWith('HTTP/1.1 200')) return next;
      next.close();
      return undefined;
    });
    await eventually(() => /event: alerts\ndata: .*"Live"/.test(back.text()));
    const stranger = await eventually(async () => {
      streams.pop()?.close();
      const next = await stream(app.port, { 'last-event-id': 'another-99' });
      if (next.text().startsWith('HTTP/1.1 200')) return next;
      next.close();
      return undefined;
    });
    await eventually(() => stranger.text().includes('event: reset'));
    app.proc.signal('SIGTERM');
    await Promise.all([...streams, back].map(({ ended }) => ended));
    expect(await app.proc.exited).toEqual({ code: 0, signal: null });
  });

  it('never lets a query reach a pattern or an operator, and no payload becomes a label of a metric [P43]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    await app.post('/api/knowledge/entries', { id: 'e', title: 'Disk full', body: `${'a'.repeat(30_000)}!` });
    for (const query of ['.*', '(a+)+$', '$where', '\\', '[', '{"$gt":""}']) {
      const answer = await app.post('/api/knowledge/query', { query });
      expect([query, answer.status]).toEqual([query, 200]);
    }
    for (const bad of [{ query: { $gt: '' } }, { tags: { $ne: 1 } }, { category: ['x'] }, { tags: [{ $gt: 1 }] }]) {
      expect((await app.post('/api/knowledge/query', bad)).status).toBe(400);
    }
    expect((await app.call('/api/knowledge/entries/__proto__')).status).toBe(404);
    expect((await app.call('/api/alerts/..%2f..%2fetc%2fpasswd')).status).toBe(404);
    expect((await app.call('/page/..%2f..%2fmain.js')).status).toBe(404);
    const names = Array.from({ length: 50 }, (_, n) => `canary-name-${n}`);
    await app.post('/webhook/alerts', {
      groupKey: 'canary-group',
      receiver: 'canary-receiver',
      alerts: names.map((alertname) => ({ labels: { alertname } })),
    });
    expect((await app.call('/metrics')).text).not.toContain('canary');
  });
});

/** A raw stream of events, and what came so far. */
async function stream(port: number, headers: Record<string, string> = {}) {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /api/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join('')}\r\n`);
  await eventually(() => text.includes('\r\n\r\n'));
  return { text: () => text, ended, close: () => socket.destroy() };
}
