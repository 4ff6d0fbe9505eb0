import { connect, type Socket } from 'node:net';
import { eventually, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

type App = Awaited<ReturnType<typeof startOrchestrator>>;
const alert = (more: object = {}) => ({ status: 'firing', labels: { alertname: 'A' }, ...more });
/** Whoever writes it out as text fails. */
const EVIL = { toString: 1, valueOf: 1 };

/** Alive, quickly enough for any probe, whatever else is going on. */
async function alive(app: App): Promise<void> {
  expect((await app.call('/livez', { signal: AbortSignal.timeout(20_000) })).status).toBe(200);
}

describe('a stranger', () => {
  it('who puts objects where text belongs, names of prototypes, or times without end, is answered 200 and known again [P7]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const bodies: object[] = [
      { receiver: EVIL, alerts: [alert()] },
      { externalURL: EVIL, alerts: [alert()] },
      { truncatedAlerts: EVIL, notification_reason: EVIL, alerts: [alert()] },
      { truncatedAlerts: 1, notification_reason: EVIL, alerts: [alert()] },
      { groupLabels: EVIL, commonLabels: [1], commonAnnotations: 3, version: EVIL, alerts: [alert()] },
      { alerts: [alert({ fingerprint: EVIL, startsAt: EVIL, endsAt: EVIL, generatorURL: EVIL })] },
      { receiver: '__proto__', alerts: [alert({ fingerprint: '__proto__' })] },
      { alerts: ['constructor', '__proto__', 'toString'].map((alertname) => alert({ labels: { alertname } })) },
      { alerts: [alert({ fingerprint: 'f'.repeat(1_000_000), labels: { alertname: 'n'.repeat(1_000_000) } })] },
      {
        alerts: [alert({ startsAt: '-271821-04-20T00:00:00Z', endsAt: '+275760-09-13T00:00:00Z', status: 'resolved' })],
      },
    ];
    for (const [n, body] of bodies.entries()) {
      const post = { groupKey: `g${n}`, ...body };
      const count = (body as { alerts: unknown[] }).alerts.length;
      const first = await app.post('/webhook/alerts', post);
      expect([n, first.status, first.text]).toEqual([
        n,
        200,
        JSON.stringify({ status: 'ok', accepted: count, duplicates: 0 }),
      ]);
      const again = await app.post('/webhook/alerts', post);
      expect([n, again.status, again.json().duplicates]).toEqual([n, 200, count]);
    }
    const nonsense = await app.post('/webhook/alerts', {
      groupKey: 'x',
      alerts: [null, 1, 'x', [], alert({ labels: EVIL })],
    });
    expect(nonsense.json()).toMatchObject({ accepted: 1, rejected: 4 });
    expect((await app.post('/api/memory/consolidate', '')).status).toBe(200);
    for (const path of ['/', '/api/overview', '/api/alerts?limit=500', '/api/alerts?timelines=false', '/metrics']) {
      expect([path, (await app.call(path)).status]).not.toEqual([path, 500]);
    }
    await alive(app);
  });

  it('who asks for odd paths, ids and methods is told 4xx, and never a file [P8]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const paths: [string, number][] = [
      ['/api/alerts/%E0%A4%A', 400],
      ['/page/%E0', 400],
      ['/%', 404],
      ['/%00', 404],
      ['/page/..%2f..%2f..%2fpackage.json', 404],
      ['/page/%2e%2e/%2e%2e/package.json', 404],
      ['/api/notifications/..%2f..%2fetc%2fpasswd', 404],
      ['/api/knowledge/entries/%2e%2e%2f', 404],
      ['/api/knowledge/entries/constructor', 404],
      ['/api/alerts?limit=1&limit=2', 400],
      [`/api/alerts?limit=${'9'.repeat(5_000)}`, 400],
      ['/api/dead-letters?since=yesterday', 400],
      [`/${'a'.repeat(15_000)}`, 404],
      ['//evil.example/', 404],
      ['/.env', 404],
    ];
    for (const [path, status] of paths) {
      // fetch would tidy the path up.
      const answer = await raw(app.port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      expect([path.slice(0, 60), Number(answer.slice(9, 12))]).toEqual([path.slice(0, 60), status]);
      expect(answer).toContain('{"error":{"code":');
      expect(answer).not.toMatch(/root:|"dependencies"|at .*\.[jt]s:\d/);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH'])
      expect((await app.call('/api/alerts', { method })).status).toBe(404);
    await alive(app);
  });

  it('who breaks the protocol is refused, and nobody else notices [P9]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const to = 'POST /webhook/alerts HTTP/1.1\r\nhost: x\r\n';
    const flood = Array.from({ length: 3_000 }, (_, n) => `h${n}: v\r\n`).join('');
    const cases: [string, string, number][] = [
      ['no HTTP', '\u0016\u0003\u0001\u0002hello\r\n\r\n', 400],
      ['two lengths', `${to}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 400],
      ['a length and chunks', `${to}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
      ['a length below zero', `${to}content-length: -5\r\n\r\n`, 400],
      ['a chunk without a size', `${to}transfer-encoding: chunked\r\n\r\nZZ\r\n`, 400],
      ['no host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
      ['3,000 headers', `GET /livez HTTP/1.1\r\nhost: x\r\n${flood}\r\n`, 431],
      ['a header of 100 kB', `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 431],
      [
        'a body that is no gzip',
        `${to}connection: close\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}`,
        400,
      ],
      [
        'an encoding nobody knows',
        `${to}connection: close\r\ncontent-encoding: odd\r\ncontent-length: 2\r\n\r\n{}`,
        415,
      ],
    ];
    for (const [what, bytes, status] of cases) {
      const answer = await raw(app.port, bytes);
      expect([what, Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])]).toEqual([what, status]);
      await alive(app);
    }
    // The last two would come again at each tick: somebody should know.
    expect((await app.call('/api/overview')).json().refused.count).toBe(2);
  });

  it('who keeps three hundred connections half open keeps nobody else waiting [P10]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url });
    await using _proc = app.proc;
    const sockets: Socket[] = [];
    for (let n = 0; n < 300; n++) {
      const socket = connect(app.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        n % 2 === 0
          ? 'GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: '
          : 'POST /webhook/alerts HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{"alerts":[',
      );
      sockets.push(socket);
    }
    await alive(app);
    expect((await app.post('/webhook/alerts', { groupKey: 'g', alerts: [alert()] })).json().accepted).toBe(1);
    await slack.waitForRequests(1);
    app.proc.signal('SIGTERM');
    expect(await app.proc.exited).toEqual({ code: 0, signal: null });
    for (const socket of sockets) socket.destroy();
  });

  it('who posts a hundred thousand alerts of one name in one post stops neither the list nor consolidation [P11]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const alerts = Array.from({ length: 100_000 }, (_, n) => alert({ labels: { alertname: 'Storm', n: String(n) } }));
    expect((await app.post('/webhook/alerts', { groupKey: 'g', alerts })).json().accepted).toBe(100_000);
    const rows = (await app.call('/api/alerts?limit=500&timelines=false')).json();
    expect([rows.alerts.length, rows.total]).toEqual([500, 10_000]);
    const report = await app.post('/api/memory/consolidate', '');
    expect([report.status, report.json().entries]).toEqual([200, ['incident:Storm']]);
    const { entry } = (await app.call('/api/knowledge/entries/incident:Storm')).json();
    expect(entry.seen).toBe(100_000);
    await alive(app);
  });

  it('who tries many tokens at once is told to wait, and the token still opens [P12]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TOKEN: 'letmein' });
    await using _proc = app.proc;
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const login = (body: string) => app.call('/login', { method: 'POST', body, headers: form, redirect: 'manual' });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => login(`token=guess${n}`)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(190);
    expect((await login(`token=${'x'.repeat(10_000)}`)).status).toBe(413);
    for (const body of ['token[]=letmein', 'token=letmein&token=letmein', '__proto__=1', '']) {
      expect([body, (await login(body)).status]).toEqual([body, 429]);
    }
    const headers = { authorization: 'Bearer letmein' };
    expect((await app.call('/api/alerts', { headers })).status).toBe(200);
    for (const path of [
      '/api/alerts',
      '/api/events',
      '/api/overview',
      '/api/persistence/export',
      '/API/Alerts',
      '/api//alerts',
    ]) {
      const answer = await app.call(path);
      expect([path, answer.status]).not.toEqual([path, 200]);
    }
    await alive(app);
  });

  it('who listens to events and never reads them is dropped, and the others go on [P13]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path);
    await using _proc = app.proc;
    const deaf = connect(app.port, '127.0.0.1');
    deaf.on('error', () => {});
    deaf.write(`GET /api/events HTTP/1.1\r\nhost: 127.0.0.1:${app.port}\r\n\r\n`);
    await new Promise((resolve) => deaf.once('readable', resolve));
    deaf.pause();
    const listening = await fetch(`${app.url}/api/events`);
    let heard = '';
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of listening.body!) heard = (heard + decoder.decode(chunk as Uint8Array)).slice(-500_000);
    })();
    reading.catch(() => undefined);
    // Rows of 4 kB: some 4 MB of events a post. What the kernel takes for the deaf one is a few times that.
    const annotations = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`a${n}`, 'x'.repeat(500)]));
    let posts = 0;
    await eventually(
      async () => {
        const n = ++posts;
        const alerts = Array.from({ length: 1_000 }, (_, at) =>
          alert({ labels: { alertname: `Loud${n}.`, at: String(at) }, annotations }),
        );
        await app.post('/webhook/alerts', { groupKey: `g${n}`, alerts });
        return app.proc.stdout.includes('a page that does not read its events was dropped');
      },
      { timeoutMs: 50_000, everyMs: 500 },
    );
    await app.post('/webhook/alerts', { groupKey: 'last', alerts: [alert({ labels: { alertname: 'StillHeard.' } })] });
    await eventually(() => heard.includes('StillHeard.'), { timeoutMs: 30_000 });
    expect(app.proc.stdout.match(/was dropped/g)).toHaveLength(1);
    deaf.resume();
    await new Promise((resolve) => deaf.once('close', resolve));
    await alive(app);
  }, 120_000);
});

/** Sends bytes and resolves with what came back until the end, or after 10 s of silence. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.setTimeout(10_000, () => socket.destroy());
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {}).on('close', () => resolve(text));
  });
}
