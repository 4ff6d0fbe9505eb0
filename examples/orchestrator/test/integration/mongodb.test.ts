import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, fakeSlack, needs, startAlertmanager, startMongod, tcpProxy, tempDir } from '@holdfast/testkit';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const group = await readFile(new URL('../fixtures/firing-group-3.json', import.meta.url), 'utf8');
const INTERVALS = { ALERT_GROUP_INTERVAL_MS: '1000', ALERT_REPEAT_INTERVAL_MS: '6000' };

describe.skipIf(!needs('mongod'))('the orchestrator on MongoDB', () => {
  let mongod: Awaited<ReturnType<typeof startMongod>>;
  beforeAll(async () => {
    mongod = await startMongod({ replSet: true });
  });
  afterAll(() => mongod?.[Symbol.asyncDispose]());

  it.skipIf(!needs('alertmanager'))(
    'absorbs the retry of a lost answer, sends the repeat and the resolved notice once, and learns an entry [P34]',
    async () => {
      await using dir = await tempDir();
      await using slack = await fakeSlack();
      const env = { SLACK_WEBHOOK_URL: slack.url, MONGODB_URI: mongod.uriFor('flow'), ...INTERVALS };
      const app = await startOrchestrator(dir.path, env);
      await using _proc = app.proc;
      await using proxy = await tcpProxy(app.port);
      proxy.cutNextReply(1);
      const webhookUrl = `http://127.0.0.1:${proxy.port}/webhook/alerts`;
      await using am = await startAlertmanager({ config: { webhookUrl, repeatInterval: '6s' } });
      const alerts = (more = {}) =>
        ['db-1', 'db-2', 'db-3'].map((instance) => ({ labels: { alertname: 'DiskFull', instance }, ...more }));
      await am.post(alerts());
      await eventually(() => /absorbed: a copy/.test(app.proc.stdout), { timeoutMs: 20_000 });
      const [message] = slack.requests;
      for (const name of ['db-1', 'db-2', 'db-3']) expect(String(message!.body)).toContain(name);
      expect(slack.requests).toHaveLength(1);

      await slack.waitForRequests(2, 30_000);
      await am.post(alerts({ endsAt: new Date(Date.now() - 1_000).toISOString() }));
      const all = await slack.waitForRequests(3, 20_000);
      expect(all.map(({ body }) => /RESOLVED/i.test(String(body)))).toEqual([false, false, true]);

      expect((await app.post('/api/memory/consolidate', '')).status).toBe(200);
      const found = (await app.post('/api/knowledge/query', { query: 'DiskFull' })).json();
      expect(found.results[0].entry).toMatchObject({ alertname: 'DiskFull' });
      const client = await new MongoClient(mongod.uriFor('flow')).connect();
      expect(await client.db().collection('knowledge_base').countDocuments()).toBe(1);
      await client.close();
    },
  );

  it('delivers after a restart what was accepted before kill -9, and knows the post again [P35]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    slack.respond({ hang: true });
    const env = { SLACK_WEBHOOK_URL: slack.url, MONGODB_URI: mongod.uriFor('killed') };
    const first = await startOrchestrator(dir.path, env);
    await using _first = first.proc;
    expect((await first.post('/webhook/alerts', group)).json()).toEqual({ status: 'ok', accepted: 3, duplicates: 0 });
    expect((await first.post('/api/knowledge/entries', { id: 'kept', title: 'test' })).status).toBe(201);
    await slack.waitForRequests(1, 20_000);
    await first.proc.kill();

    slack.respond({});
    const second = await startOrchestrator(dir.path, env);
    await using _second = second.proc;
    expect((await second.call('/api/knowledge/entries/kept')).json().entry.title).toBe('test');
    expect((await second.post('/webhook/alerts', group)).json()).toEqual({ status: 'ok', accepted: 0, duplicates: 3 });
    // The dead instance's lease has to end first: 30 s.
    await slack.waitForRequests(2, 50_000);
    expect(slack.requests).toHaveLength(2);
  }, 90_000);

  it('two instances that share DATA_DIR and the database lose nothing of what either learnt or an editor wrote [P36]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const env = { SLACK_WEBHOOK_URL: slack.url, MONGODB_URI: mongod.uriFor('shared') };
    const apps = await Promise.all([startOrchestrator(dir.path, env), startOrchestrator(dir.path, env)]);
    await using _first = apps[0]!.proc;
    await using _second = apps[1]!.proc;
    const memory = join(dir.path, 'MEMORY.md');
    await writeFile(memory, '# Ours\n\nwritten by a person\n');
    const names = Array.from({ length: 12 }, (_, n) => `Shared${n}`);
    for (const [at, name] of names.entries()) {
      const app = apps[at % 2]!;
      const alerts = [{ labels: { alertname: name }, startsAt: '2026-01-01T00:00:00Z' }];
      expect((await app.post('/webhook/alerts', { groupKey: name, receiver: 'r', alerts })).status).toBe(200);
      // Whoever runs knows at once what it accepted, and the other one may lag: neither may drop the other's newest names.
      const runs = await Promise.all(apps.map((each) => each.post('/api/memory/consolidate', '')));
      expect(runs.map(({ status }) => status)).toEqual([200, 200]);
      const text = await readFile(memory, 'utf8');
      expect(names.slice(0, at + 1).filter((each) => !text.includes(`**${each}**`))).toEqual([]);
      expect(text).toMatch(/^# Ours\n\nwritten by a person\n/);
    }
    await writeFile(memory, 'an editor saved over everything\n');
    expect((await apps[1]!.post('/api/memory/consolidate', '')).status).toBe(200);
    const text = await readFile(memory, 'utf8');
    expect(names.filter((each) => !text.includes(`**${each}**`))).toEqual([]);
    expect(text).toMatch(/^an editor saved over everything\n/);

    await slack.waitForRequests(names.length, 20_000);
    const again = {
      groupKey: 'Shared0',
      receiver: 'r',
      alerts: [{ labels: { alertname: 'Shared0' }, startsAt: '2026-01-01T00:00:00Z' }],
    };
    expect((await apps[1]!.post('/webhook/alerts', again)).json()).toEqual({
      status: 'ok',
      accepted: 0,
      duplicates: 1,
    });
    expect(slack.requests).toHaveLength(names.length);
    const entry = (await apps[1]!.call(`/api/knowledge/entries/${encodeURIComponent('incident:Shared3')}`)).json()
      .entry;
    expect(entry).toMatchObject({ seen: 1, notifications: 1 });
  }, 90_000);
});
