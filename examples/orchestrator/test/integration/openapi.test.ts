import { fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CONTRACT } from '../../src/contract.js';
import { startOrchestrator } from './start-orchestrator.js';

// biome-ignore lint/suspicious/noExplicitAny: a document of somebody else's format
type Description = { openapi: string; paths: Record<string, Record<string, any>>; components: any };

describe('/openapi.json', () => {
  it('describes every route, and real answers are what it says [P44]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, CHANNEL_RETRIES: '0' });
    await using _proc = app.proc;
    const description = (await app.call('/openapi.json')).json() as Description;
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths).sort()).toEqual([...new Set(CONTRACT.map(({ path }) => path))].sort());

    const seen = new Set<string>();
    /** Calls, and holds the answer against the document alone. */
    async function ask(method: string, path: string, status: number, body?: unknown, headers = {}) {
      const answer = await app.call(path, {
        method: method.toUpperCase(),
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const plain = path.split('?', 1)[0]!;
      const template = Object.keys(description.paths).find(
        (each) =>
          new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain) && description.paths[each]![method],
      )!;
      seen.add(`${method} ${template} ${status}`);
      const response = description.paths[template]?.[method].responses[status];
      expect([method, path, answer.status, answer.text.slice(0, 300)]).toEqual([
        method,
        path,
        status,
        expect.any(String),
      ]);
      expect(response, `${method} ${template} does not promise ${status}`).toBeDefined();
      const schema = response.content?.['application/json']?.schema;
      if (schema) {
        const whole = schema.$ref ? description.components.schemas.Error : schema;
        const { error } = z.fromJSONSchema(whole).safeParse(answer.json());
        expect(error, `${method} ${path}: ${error?.message}`).toBeUndefined();
      }
      return status === 204 || !answer.text.startsWith('{') ? undefined : answer.json();
    }

    const alert = (name: string) => ({ status: 'firing', labels: { alertname: name }, annotations: {} });
    await ask('post', '/webhook/alerts', 200, { groupKey: 'g', alerts: [alert('One'), 7] });
    await ask('post', '/webhook/alerts', 200, { groupKey: 'g', alerts: [alert('One'), 7] });
    await ask('post', '/webhook/alerts', 400, {});
    await ask('post', '/webhook/alerts', 415, {}, { 'content-encoding': 'odd' });
    await slack.waitForRequests(1);
    await ask('post', '/api/knowledge/entries', 201, { id: 'e', title: 'an entry', tags: ['x'], odd: 1 });
    await ask('post', '/api/knowledge/entries', 412, { id: 'e', title: 'an entry' });
    await ask('post', '/api/knowledge/entries', 400, { title: '' });
    await ask('get', '/api/knowledge/entries/e', 200);
    await ask('get', '/api/knowledge/entries/none', 404);
    await ask('put', '/api/knowledge/entries/e', 200, { title: 'again' });
    await ask('put', '/api/knowledge/entries/new', 201, { title: 'new' });
    await ask('put', '/api/knowledge/entries/e', 412, { title: 'late' }, { 'if-match': '"1"' });
    await ask('post', '/api/memory/consolidate', 200, {});
    await ask('post', '/api/knowledge/query', 200, { query: 'again One', limit: 5 });
    await ask('post', '/api/knowledge/query', 400, { limit: 0 });
    await ask('get', '/api/knowledge/summary', 200);
    await ask('delete', '/api/knowledge/entries/e', 204);
    await ask('delete', '/api/knowledge/entries/e', 404);
    await ask('get', '/api/knowledge/export', 200);
    await ask('get', '/api/persistence/export', 200);
    await ask('get', '/api/overview', 200);
    const { alerts } = await ask('get', '/api/alerts', 200);
    await ask('get', '/api/alerts?timelines=false&status=firing', 200);
    await ask('get', '/api/alerts?status=odd', 400);
    await ask('get', `/api/alerts/${alerts[0].id}`, 200);
    await ask('get', '/api/alerts/none', 404);
    const { notifications } = await ask('get', '/api/notifications', 200);
    await ask('get', `/api/notifications/${encodeURIComponent(notifications[0].id)}`, 200);
    await ask('get', '/api/notifications/none', 404);
    const { deadLetters } = await ask('get', '/api/dead-letters', 200);
    expect(deadLetters).toHaveLength(1);
    const click = { 'idempotency-key': 'one click' };
    await ask('post', '/api/dead-letters/replay', 200, { ids: ['none'], perSecond: 10 }, click);
    await ask('post', '/api/dead-letters/replay', 422, { ids: ['another'] }, click);
    await ask('post', '/api/dead-letters/replay', 400, { ids: [] });
    await ask('post', '/api/dead-letters/replay', 409, { filter: {}, count: 7 });
    for (const path of ['/livez', '/readyz', '/health', '/metrics']) await ask('get', path, 200);

    const promised = CONTRACT.flatMap(({ method, path, answers }) =>
      Object.keys(answers).map((status) => `${method} ${path} ${status}`),
    );
    // What it takes a broken store, a huge body, a stream or a race to see is in other tests.
    const elsewhere = ['post /webhook/alerts 413', 'get /api/events 200', 'delete /api/knowledge/entries/{id} 412'];
    expect(promised.filter((each) => !seen.has(each) && !each.endsWith(' 503') && !elsewhere.includes(each))).toEqual(
      [],
    );
  });
});
