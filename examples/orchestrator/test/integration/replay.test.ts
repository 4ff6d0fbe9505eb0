import { eventually, type FakeProvider, fakeSlack, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

type App = Awaited<ReturnType<typeof startOrchestrator>>;
interface Letter {
  id: string;
  status?: string;
}

const QUICK = { CHANNEL_RETRIES: '0', CHANNEL_TIMEOUT_MS: '5000' };
const replay = (app: App, body: object, key?: string) =>
  app.post('/api/dead-letters/replay', body, key === undefined ? {} : { 'idempotency-key': key });

/** Lets `names` reach nobody, and makes Slack work again. @returns their ids, oldest first. */
async function bury(app: App, slack: FakeProvider, names: readonly string[]): Promise<string[]> {
  slack.respond({ status: 400, body: 'no' });
  for (const [n, name] of names.entries()) {
    await app.post('/webhook/alerts', { groupKey: name, receiver: 'r', alerts: [{ labels: { alertname: name } }] });
    await eventually(async () => (await app.call('/api/dead-letters')).json().total === n + 1);
  }
  slack.respond({});
  const { deadLetters } = (await app.call('/api/dead-letters')).json();
  return deadLetters.map(({ id }: Letter) => id);
}

/** How often Slack took a message about `name`. */
const told = (slack: FakeProvider, name: string, after: number): number =>
  slack.requests.slice(after).filter(({ body }) => body.includes(name)).length;
const dead = async (app: App): Promise<number> => (await app.call('/api/dead-letters')).json().total;

describe('POST /api/dead-letters/replay', () => {
  it('sends once for two clicks with one key at once, and refuses that key for anything else [P4]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...QUICK });
    await using _proc = app.proc;
    const ids = await bury(app, slack, ['One.', 'Two.']);
    const failed = slack.requests.length;
    const answers = await Promise.all([1, 2, 3].map(() => replay(app, { ids }, 'a click')));
    for (const answer of answers) {
      expect(answer.json().results.map(({ status }: Letter) => status)).toEqual(['delivered', 'delivered']);
    }
    const other = await replay(app, { ids: ['other'] }, 'a click');
    expect([other.status, other.json().error.code]).toEqual([422, 'key_reused']);
    const again = await replay(app, { ids });
    expect(again.json().results.map(({ status }: Letter) => status)).toEqual(['not-found', 'not-found']);
    expect([told(slack, 'One.', failed), told(slack, 'Two.', failed)]).toEqual([1, 1]);
  });

  it('runs one at a time, also when a slow one has outlived its answer [P5]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const env = { SLACK_WEBHOOK_URL: slack.url, ...QUICK, API_TIMEOUT_MS: '2500' };
    const app = await startOrchestrator(dir.path, env);
    await using _proc = app.proc;
    const ids = await bury(app, slack, ['One.', 'Two.', 'Three.']);
    const failed = slack.requests.length;
    const slow = await replay(app, { ids, perSecond: 0.2 });
    expect([slow.status, slow.json().results.at(-1).status]).toEqual([200, 'pending']);
    const second = await replay(app, { ids });
    expect([second.status, second.json().error.code]).toEqual([409, 'replay_running']);
    await eventually(async () => (await dead(app)) === 0, { timeoutMs: 40_000 });
    const third = await eventually(async () => {
      const answer = await replay(app, { ids: [...ids, ...ids] });
      return answer.status === 200 && answer.json();
    });
    expect(third.total).toBe(3);
    for (const name of ['One.', 'Two.', 'Three.']) expect([name, told(slack, name, failed)]).toEqual([name, 1]);
  }, 90_000);

  it('stops at SIGTERM: what it has not sent stays a dead letter, and the process does not wait for it [P6]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const env = { SLACK_WEBHOOK_URL: slack.url, ...QUICK };
    const app = await startOrchestrator(dir.path, { ...env, SHUTDOWN_TIMEOUT_MS: '100000' });
    await using _proc = app.proc;
    const ids = await bury(app, slack, ['One.', 'Two.', 'Three.']);
    const failed = slack.requests.length;
    // At this rate it would go on for a minute.
    const answer = replay(app, { ids, perSecond: 0.1 }).catch(() => undefined);
    await slack.waitForRequests(failed + 1);
    await eventually(async () => (await dead(app)) === 2);
    app.proc.signal('SIGTERM');
    expect(await app.proc.exited).toEqual({ code: 0, signal: null });
    expect((await answer)?.json().results.map(({ status }: Letter) => status)).toEqual([
      'delivered',
      'pending',
      'pending',
    ]);
    expect(app.proc.stdout).not.toContain('job.abandoned');

    const next = await startOrchestrator(dir.path, env);
    await using _next = next.proc;
    expect(await dead(next)).toBe(2);
    await replay(next, { filter: {}, count: 2 });
    expect(await dead(next)).toBe(0);
    for (const name of ['One.', 'Two.', 'Three.']) expect([name, told(slack, name, failed)]).toEqual([name, 1]);
  }, 90_000);
});
