import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const post = (name: string) => ({
  groupKey: name,
  receiver: 'r',
  alerts: [{ status: 'firing', labels: { alertname: name }, startsAt: '2026-01-01T00:00:00Z' }],
});

describe('consolidation', () => {
  it('runs by itself each CONSOLIDATE_EVERY_MS, and what an editor saved over comes back with the next news [P104]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { CONSOLIDATE_EVERY_MS: '300' });
    await using _proc = app.proc;
    const memory = join(dir.path, 'MEMORY.md');
    const text = () => readFile(memory, 'utf8').catch(() => '');
    await app.post('/webhook/alerts', post('First'));
    await eventually(async () => (await text()).includes('**First**'));
    await eventually(async () => (await app.call('/api/overview')).json().consolidation?.ok === true);
    await rm(memory);
    await app.post('/webhook/alerts', post('Second'));
    await eventually(async () => /\*\*First\*\*/.test(await text()) && /\*\*Second\*\*/.test(await text()));
    expect((await app.call('/livez')).status).toBe(200);
  });

  it('waits for somebody else who holds MEMORY.md, tells who asked 503, and goes on once it is free [P105]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TIMEOUT_MS: '3000' });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', post('Held'));
    // As proper-lockfile does; it is fresh for ten seconds.
    const lock = join(dir.path, 'MEMORY.md.lock');
    await mkdir(lock);
    const refused = await app.post('/api/memory/consolidate', '');
    expect([refused.status, refused.json().error.code]).toEqual([503, 'memory_busy']);
    expect((await app.post('/webhook/alerts', post('Meanwhile'))).status).toBe(200);
    const { needs } = (await app.call('/api/overview')).json();
    expect(needs).toContainEqual(expect.objectContaining({ kind: 'consolidation' }));
    await rm(lock, { recursive: true, force: true });
    const done = await eventually(async () => {
      const answer = await app.post('/api/memory/consolidate', '');
      return answer.status === 200 && answer.json();
    });
    expect(done.entries).toBeDefined();
    const memory = await readFile(join(dir.path, 'MEMORY.md'), 'utf8');
    for (const name of ['Held', 'Meanwhile']) expect(memory).toContain(`**${name}**`);
  });
});

describe('an alert of which nothing is heard for longer than it repeats', () => {
  it('is unconfirmed and not firing, by time alone; news make it firing again; nobody is told [P106]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      ALERT_GROUP_INTERVAL_MS: '500',
      ALERT_REPEAT_INTERVAL_MS: '1000',
    });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', post('Silent'));
    const unconfirmed = await eventually(async () => {
      const { alerts } = (await app.call('/api/overview')).json();
      return alerts.unconfirmed === 1 && alerts;
    });
    expect(unconfirmed).toEqual({ firing: 0, unconfirmed: 1, resolved: 0 });
    const listed = (await app.call('/api/alerts?status=unconfirmed')).json();
    expect(listed.alerts[0].labels.alertname).toBe('Silent');
    expect(slack.requests).toHaveLength(1);
    // The intended repeat: longer ago than a retry of this route can be.
    expect((await app.post('/webhook/alerts', post('Silent'))).json()).toMatchObject({ accepted: 1 });
    await slack.waitForRequests(2);
  });
});
