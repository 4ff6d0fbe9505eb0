import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually, fakeSendGrid, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const group = await readFile(new URL('../fixtures/firing-group-3.json', import.meta.url), 'utf8');
const email = (url: string) => ({
  SENDGRID_API_KEY: 'SG.secret',
  SENDGRID_API_URL: url,
  ALERT_EMAIL_FROM: 'alerts@example.com',
  ALERT_EMAIL_TO: 'ops@example.com',
});
const QUICK = { CHANNEL_RETRIES: '0', CHANNEL_TIMEOUT_MS: '3000' };

describe('the orchestrator as a process', () => {
  it('delivers after a restart what was accepted before kill -9, and knows the post again [P26]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    slack.respond({ hang: true });
    const first = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url });
    await using _first = first.proc;
    expect((await first.post('/webhook/alerts', group)).json()).toEqual({ status: 'ok', accepted: 3, duplicates: 0 });
    const before = (await first.call('/api/alerts')).json();
    await first.proc.kill();

    const heldBack = slack.requests.length;
    slack.respond({});
    const second = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url });
    await using _second = second.proc;
    await slack.waitForRequests(heldBack + 1, 20_000);
    const after = await eventually(async () => {
      const list = (await second.call('/api/alerts')).json();
      return list.alerts[0]?.notifications[0]?.status === 'delivered' && list;
    });
    expect(after.alerts[0].notifications[0].id).toBe(before.alerts[0].notifications[0].id);
    expect((await second.post('/webhook/alerts', group)).json()).toEqual({ status: 'ok', accepted: 0, duplicates: 3 });
    expect(slack.requests).toHaveLength(heldBack + 1);
  });

  it('goes to e-mail when Slack is down [P27]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond({ status: 500 });
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...email(mail.url), ...QUICK });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', group);
    const [message] = await mail.waitForRequests(1, 20_000);
    expect(String(message!.body)).toContain('db-2:9100');
    expect(app.proc.stdout + app.proc.stderr).not.toContain('SG.secret');
  });

  it('keeps the whole alert when both are down, and replays it when they are back [P28]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond({ status: 500 });
    mail.respond({ status: 500 });
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...email(mail.url), ...QUICK });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', group);
    const dead = await eventually(
      async () => {
        const list = (await app.call('/api/dead-letters')).json();
        return list.total === 1 && list;
      },
      { timeoutMs: 20_000 },
    );
    const [line] = (await readFile(join(dir.path, 'failed-alerts.jsonl'), 'utf8')).trim().split('\n');
    const kept = JSON.parse(line!);
    expect(
      kept.alert.data.payload.alerts.map((alert: { labels: { instance: string } }) => alert.labels.instance),
    ).toEqual(['db-1:9100', 'db-2:9100', 'db-3:9100']);

    const failures = slack.requests.length;
    slack.respond({});
    mail.respond({});
    const replayed = await app.post('/api/dead-letters/replay', { ids: [dead.deadLetters[0].id] });
    expect(replayed.json().results).toMatchObject([{ id: dead.deadLetters[0].id, status: 'delivered' }]);
    expect(slack.requests.length + mail.requests.length).toBeGreaterThan(failures);
    expect((await app.call('/api/dead-letters')).json().total).toBe(0);
  });

  it('answers every request in flight at SIGTERM, and exits 0 [P29]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const sockets = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = connect(app.port, '127.0.0.1');
        await new Promise((resolve) => socket.once('connect', resolve));
        const head = `POST /api/knowledge/query HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{`;
        socket.write(head);
        let text = '';
        socket.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
        return { socket, ended };
      }),
    );
    // The server has them all once it has answered somebody who came later.
    await app.call('/livez');
    app.proc.signal('SIGTERM');
    await app.proc.waitFor('starting graceful shutdown');
    for (const { socket } of sockets) socket.write('}');
    const answers = await Promise.all(sockets.map(({ ended }) => ended));
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(answers.map(() => 'HTTP/1.1 200'));
    expect(await app.proc.exited).toEqual({ code: 0, signal: null });
  });
});
