import { fileURLToPath } from 'node:url';
import { freePort, runNode, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const alert = { status: 'firing', labels: { alertname: 'A', severity: 'info' } };

describe('bad input', () => {
  it('gets a JSON error with a stable code and the right status, and the process stays up [P22]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TOKEN: 'letmein' });
    await using _proc = app.proc;
    const auth = { authorization: 'Bearer letmein' };
    const cases: [string, string, string, Record<string, string>, number, string][] = [
      ['POST', '/webhook/alerts', '{bad', auth, 400, 'invalid_json'],
      ['POST', '/webhook/alerts', '[1]', auth, 400, 'invalid_payload'],
      ['POST', '/webhook/alerts', '{"alerts":"no"}', auth, 400, 'no_alerts'],
      ['POST', '/webhook/alerts', JSON.stringify({ alerts: [alert] }), {}, 401, 'unauthorized'],
      ['GET', '/webhook/alerts', '', auth, 405, 'method_not_allowed'],
      ['POST', '/webhook/alerts', ' '.repeat(17 * 1024 * 1024), auth, 413, 'too_large'],
      ['POST', '/api/knowledge/entries', '{"title":7}', auth, 400, 'invalid_request'],
      ['POST', '/api/knowledge/query', '{"limit":"x"}', auth, 400, 'invalid_request'],
      ['GET', '/api/knowledge/entries/none', '', auth, 404, 'not_found'],
      ['GET', '/nowhere', '', auth, 404, 'not_found'],
      ['GET', '/api/alerts?limit=0', '', auth, 400, 'invalid_request'],
    ];
    for (const [method, path, body, headers, status, code] of cases) {
      const answer = await app.call(path, { method, headers, ...(body && { body }) });
      expect([path, answer.status, answer.json().error?.code]).toEqual([path, status, code]);
      if (code === 'too_large') expect(answer.json().error.message).toContain('16777216');
      expect((await app.call('/livez')).status).toBe(200);
    }
    const unknown = { version: '9', surprising: { deep: [1] }, alerts: [{ ...alert, odd: true }] };
    expect((await app.post('/webhook/alerts', unknown, auth)).json()).toMatchObject({ status: 'ok', accepted: 1 });
  });

  it('finds the one acknowledged entry after kill -9 and a restart [P23]', async () => {
    await using dir = await tempDir();
    const first = await startOrchestrator(dir.path);
    await using _first = first.proc;
    expect((await first.post('/api/knowledge/entries', { title: 'test' })).status).toBe(201);
    await first.proc.kill();
    const second = await startOrchestrator(dir.path);
    await using _second = second.proc;
    expect((await second.call('/api/knowledge/summary')).json().total).toBe(1);
  });
});

describe('start', () => {
  it('says why and exits 1 when MongoDB can not be reached [P24]', async () => {
    await using dir = await tempDir();
    const MONGODB_URI = `mongodb://user:hunter2@127.0.0.1:${await freePort()}/kb`;
    await using proc = runNode(MAIN, { env: { DATA_DIR: dir.path, PORT: '0', MONGODB_URI } });
    expect(await proc.exited).toEqual({ code: 1, signal: null });
    expect(proc.stderr).toContain('Failed to initialize persistence layer');
    expect(proc.stderr + proc.stdout).not.toContain('hunter2');
  });

  it('refuses a public address without a token [P25]', async () => {
    await using proc = runNode(MAIN, { env: { HOST: '0.0.0.0', PORT: '0' } });
    expect((await proc.exited).code).toBe(1);
    expect(proc.stderr).toContain('API_TOKEN');
  });
});
