import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeSendGrid, fakeSlack, tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { post, serve } from '../program.js';

/**
 * Slack and the mail provider fail while alerts are accepted, the process is killed, and the next one finds both back. Each
 * alert, with its text, has to be in Slack, in a mail, in failed-alerts.jsonl, or among the dead letters that the program
 * lists at /dead: a kill may come between a death and its line in the file, which is a copy.
 */
export const channelsDown: Failure = {
  number: 7,
  title: 'Slack and SendGrid fail, and the alert vanishes',
  before: [
    { program: '7-returns-false', from: 'post-mortem, src/alerts/slack-client.ts' },
    { program: '7-name-of-the-alert', from: "post-mortem's minimal fix, src/alerts/alert-handler.ts" },
  ],
  // Its breaker keeps a channel that failed closed for 30 s, so it may be silent for as long.
  after: { program: '7-chain', from: '@holdfast/alert-delivery', patienceMs: 45_000 },
  async run(program, { short, patienceMs = 6_000 }) {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    const taken: string[] = [];
    const down = { status: 500, body: 'internal error' };
    slack.respond(down);
    mail.respond(down);
    const env = { DATA_DIR: dir.path, SLACK_WEBHOOK_URL: slack.url, SENDGRID_API_URL: mail.url };
    const texts = Array.from({ length: short ? 5 : 20 }, (_, n) => `what-happened-${String(n).padStart(3, '0')}.`);
    const acknowledged: string[] = [];
    {
      await using first = await serve(program, env);
      for (const [n, text] of texts.entries()) {
        const alert = { id: `alert-${n}`, title: `DiskFull ${n}`, severity: 'critical', body: text };
        if ((await post(`${first.url}/alerts`, alert)) === 200) acknowledged.push(text);
      }
    }
    slack.respond(({ body }) => {
      taken.push(body);
      return {};
    });
    mail.respond(({ body }) => {
      taken.push(body);
      return {};
    });
    await using second = await serve(program, env);
    const missing = async (): Promise<string[]> => {
      const letters = await readFile(join(dir.path, 'failed-alerts.jsonl'), 'utf8').catch(() => '');
      const response = await fetch(`${second.url}/dead`);
      const dead = response.ok ? await response.text() : '';
      return acknowledged.filter((text) => ![letters, dead, ...taken].some((place) => place.includes(text)));
    };
    let left = await missing();
    let unchanged = performance.now();
    while (left.length > 0 && performance.now() - unchanged < patienceMs) {
      await sleep(100);
      const now = await missing();
      if (now.length !== left.length) unchanged = performance.now();
      left = now;
    }
    return { ...NOTHING, acknowledged: acknowledged.length, lost: left.length };
  },
};
