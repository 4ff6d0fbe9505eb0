import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { eventually, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const post = { groupKey: 'g', receiver: 'r', alerts: [{ labels: { alertname: 'DiskFull', severity: 'critical' } }] };

describe('the story of an alert', () => {
  it('is five lines of the log: accepted, answered, failed, escalated, delivered by mail [P45]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await mailServer();
    slack.respond({ status: 500 });
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      SMTP_URL: `smtp://alerts:mail-canary@127.0.0.1:${mail.port}`,
      ALERT_EMAIL_FROM: 'alerts@example.com',
      ALERT_EMAIL_TO: 'ops@example.com,more@example.com',
      CHANNEL_RETRIES: '0',
    });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', post);
    await eventually(() => mail.mails.length === 1);
    expect(mail.mails[0]).toContain('[FIRING:1] DiskFull');
    expect(mail.mails[0]).toContain('To: ops@example.com, more@example.com');
    const lines = await eventually(() => {
      const all = app.proc.stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { notification?: string; msg: string });
      const id = all.find(({ msg }) => msg === 'webhook accepted')?.notification;
      const story = all.filter(({ notification }) => notification !== undefined && notification === id);
      return story.some(({ msg }) => msg === 'alert.delivered') && story;
    });
    expect(lines.map(({ msg }) => msg).sort()).toEqual(
      ['alert.accepted', 'alert.delivered', 'alert.escalated', 'attempt.failed', 'webhook accepted'].sort(),
    );
    expect(app.proc.stdout + app.proc.stderr).not.toContain('mail-canary');
    const { channels } = (await app.call('/api/overview')).json();
    expect(channels).toMatchObject([
      { name: 'slack', failed: 1 },
      { name: 'smtp', state: 'ok', sent: 1 },
    ]);
  });

  it('keeps no process from ending when nobody reads its last lines [P107]', async () => {
    const file = fileURLToPath(new URL('../fixtures/last-line.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file]);
    try {
      await once(child.stderr, 'data');
      child.stdout.destroy();
      const exited = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
      child.stdin.on('error', () => {});
      child.stdin.end('go');
      expect(await exited).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

/** A mail server that takes everything. */
async function mailServer() {
  const mails: string[] = [];
  const server = createServer((socket) => {
    let data: string | undefined;
    socket.on('error', () => {});
    socket.write('220 mail\r\n');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      if (data !== undefined) {
        data += chunk;
        if (!data.endsWith('\r\n.\r\n')) return;
        mails.push(data);
        data = undefined;
        socket.write('250 kept\r\n');
        return;
      }
      for (const line of chunk.split('\r\n').filter(Boolean)) {
        if (/^EHLO/i.test(line)) socket.write('250-mail\r\n250 AUTH PLAIN\r\n');
        else if (/^AUTH/i.test(line)) socket.write('235 welcome\r\n');
        else if (/^DATA/i.test(line)) {
          data = '';
          socket.write('354 go on\r\n');
        } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { port, mails, [Symbol.asyncDispose]: async () => void server.close() };
}
