// Over 300 lines: one Chromium serves all of it, and each test is a few lines of what a person does.
import { readdir, readFile, stat } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { eventually, fakeSendGrid, fakeSlack, needs, tcpProxy, tempDir } from '@holdfast/testkit';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPage } from './build-page.js';
import { startOrchestrator } from './start-orchestrator.js';

const PAGE = new URL('../../dist/page/', import.meta.url);
const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const QUICK = { CHANNEL_RETRIES: '0', CHANNEL_TIMEOUT_MS: '3000' };
const HOSTILE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202Egnp.exe';

const alert = (name: string, more: object = {}, labels: object = {}) => ({
  status: 'firing',
  labels: { alertname: name, instance: 'db-1', severity: 'critical', ...labels },
  annotations: { summary: `${name} happened` },
  startsAt: '2026-01-01T00:00:00Z',
  ...more,
});

describe.skipIf(!needs('chromium'))('the operator page', () => {
  let browser: Browser;
  beforeAll(async () => {
    await buildPage();
    browser = await chromium.launch({ executablePath: needs('chromium')!, args: ['--no-sandbox'] });
  });
  afterAll(() => browser?.close());

  /** A page, and everything it should not have done: errors, refused content, requests to other hosts. */
  async function open(url: string, options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text()))
        wrong.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith('data:'))
        wrong.push(request.url());
    });
    await page.goto(url);
    return { page, wrong, context, [Symbol.asyncDispose]: () => context.close() };
  }

  async function violations(page: Page): Promise<string[]> {
    // The page's own policy lets no other script in, so it is run from outside the page's world of scripts.
    const context: BrowserContext = page.context();
    const session = await context.newCDPSession(page);
    await session.send('Page.setBypassCSP', { enabled: true });
    await page.evaluate(axe);
    const found = await page.evaluate(
      async () =>
        (
          await (
            globalThis as unknown as {
              axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
            }
          ).axe.run()
        ).violations,
    );
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
  }

  it('is under 150 kB in all [P46]', async () => {
    const files = await readdir(PAGE);
    const sizes = await Promise.all(files.map(async (file) => (await stat(new URL(file, PAGE))).size));
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(150_000);
    expect(gzipSync(await readFile(new URL('page.js', PAGE))).length).toBeLessThan(40_000);
  });

  it('shows an alert as it arrives, its timeline one click away, and where it was told [P47]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...QUICK });
    await using _proc = app.proc;
    await using seen = await open(app.url);
    const { page, wrong } = seen;
    await page.waitForSelector('text=The webhook was never called');
    await page.waitForSelector('.link.live');
    expect(await violations(page)).toEqual([]);

    await app.post('/webhook/alerts', {
      groupKey: 'g',
      receiver: 'r',
      externalURL: 'http://am:9093',
      alerts: [alert('DiskFull')],
    });
    await page.waitForSelector('.row:has-text("DiskFull"):has-text("delivered by Slack")');
    await page.waitForSelector('.term.accepted:has-text("1")');
    expect(await page.textContent('#verdict')).toContain('Everything accepted is accounted for');
    await app.post('/webhook/alerts', {
      groupKey: 'g',
      receiver: 'r',
      externalURL: 'http://am:9093',
      alerts: [alert('DiskFull')],
    });
    await page.waitForSelector('.row:has-text("1 copy absorbed")');
    const peer = { groupKey: 'g', receiver: 'r', externalURL: 'http://am-b:9093', alerts: [alert('DiskFull')] };
    expect((await app.post('/webhook/alerts', peer)).json()).toMatchObject({ accepted: 0, duplicates: 1 });
    await page.waitForSelector('.row:has-text("2 copies absorbed")');

    await page.focus('.row');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.timeline >> text=delivered by Slack in');
    const story = await page.textContent('.timeline');
    expect(story).toContain('received from http://am:9093 127.0.0.1 and made durable');
    expect(story).toContain('absorbed: the same post again');
    expect(story).toContain('absorbed: copy from the other peer of the pair');
    const silence = await page.getAttribute('a:has-text("Silence")', 'href');
    expect(decodeURIComponent(silence!)).toBe(
      'http://am:9093/#/silences/new?filter={alertname="DiskFull",instance="db-1",severity="critical"}',
    );
    expect(new URL(page.url()).searchParams.get('open')).toBeTruthy();
    await page.click('summary:has-text("as it is kept")');
    await page.waitForSelector('pre:has-text("groupKey")');
    expect(await violations(page)).toEqual([]);
    expect(wrong).toEqual([]);
  });

  it('replays chosen dead letters with a preview and a result for each, and takes a fix that the next alert tells [P48]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    await using mail = await fakeSendGrid();
    slack.respond({ status: 500 });
    mail.respond({ status: 500 });
    const app = await startOrchestrator(dir.path, {
      SLACK_WEBHOOK_URL: slack.url,
      SENDGRID_API_KEY: 'SG.x',
      SENDGRID_API_URL: mail.url,
      ALERT_EMAIL_FROM: 'a@example.com',
      ALERT_EMAIL_TO: 'b@example.com',
      ...QUICK,
    });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', { groupKey: 'a', receiver: 'r', alerts: [alert('One')] });
    await app.post('/webhook/alerts', { groupKey: 'b', receiver: 'r', alerts: [alert('Two')] });
    await using seen = await open(app.url, { colorScheme: 'dark' });
    const { page, wrong } = seen;
    await page.waitForSelector('#letters:has-text("2")');
    expect(await page.textContent('#verdict')).toContain('2 notifications reached nobody');
    await eventually(async () => (await page.title()).startsWith('('));
    expect(await violations(page)).toEqual([]);

    slack.respond({});
    mail.respond({});
    await page.check('.letterlist li:nth-child(1) input');
    await page.check('.letterlist li:nth-child(2) input');
    await page.keyboard.press('r');
    await page.waitForSelector('dialog >> text=Replay 2 notifications');
    expect(await violations(page)).toEqual([]);
    await page.fill('dialog input[type=number]', '50');
    await page.click('dialog button:has-text("Replay 2")');
    await page.waitForSelector('dialog >> text=2 of 2 delivered', { timeout: 20_000 });
    expect(await page.locator('.results li').count()).toBe(2);
    await page.keyboard.press('Escape');
    await page.waitForSelector('.term.delivered:has-text("2")');
    expect(await page.locator('#dead-letters').count()).toBe(0);

    await page.click('.row:has-text("One")');
    await page.fill('.fixform input', 'restart the pool');
    await page.click('text=Save fix');
    await page.waitForSelector('.fix:has-text("restart the pool")');
    await app.post('/webhook/alerts', {
      groupKey: 'c',
      receiver: 'r',
      alerts: [alert('One', {}, { instance: 'db-9' })],
    });
    await eventually(() => [...slack.requests, ...mail.requests].some(({ body }) => body.includes('restart the pool')));
    expect(wrong).toEqual([]);
  });

  it('searches the knowledge base, filters by word and by number, and keeps the view in its address [P49]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, QUICK);
    await using _proc = app.proc;
    await app.post('/webhook/alerts', {
      groupKey: 'a',
      receiver: 'r',
      alerts: [alert('DiskFull'), alert('HighLoad', {}, { severity: 'info' })],
    });
    await app.post('/api/memory/consolidate', '');
    await using seen = await open(`${app.url}/?q=severity%3Ainfo`);
    const { page, wrong } = seen;
    await page.waitForSelector('.row:has-text("HighLoad")');
    expect(await page.locator('.row:has-text("DiskFull")').count()).toBe(0);
    await page.click('.term.delivered');
    await page.waitForSelector('.row.notification:has-text("[FIRING:2]")');
    expect(new URL(page.url()).searchParams.get('status')).toBe('delivered');
    await page.keyboard.press('3');
    await page.keyboard.press('/');
    await page.keyboard.type('DiskFull');
    await page.waitForSelector('.row.entry:has-text("DiskFull")');
    await eventually(async () => (await page.locator('.row.entry').count()) === 1);
    await page.click('.row.entry');
    await page.waitForSelector('text=not resolved so far');
    expect(await violations(page)).toEqual([]);
    await page.fill('#filter', 'nothing like it');
    await page.waitForSelector('text=Nothing in the knowledge base fits');
    expect(wrong).toEqual([]);
  });

  it('says when it is cut off and catches up afterwards; frozen, it keeps still and counts what it does not show [P50]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, QUICK);
    await using _proc = app.proc;
    await using proxy = await tcpProxy(app.port);
    await using seen = await open(`http://127.0.0.1:${proxy.port}`);
    const { page } = seen;
    await page.waitForSelector('.link.live');
    await page.keyboard.press('f');
    await app.post('/webhook/alerts', { groupKey: 'a', receiver: 'r', alerts: [alert('Frozen')] });
    await page.waitForSelector('.bar:has-text("not shown")');
    expect(await page.locator('.row:has-text("Frozen")').count()).toBe(0);
    await page.click('.bar button');
    await page.waitForSelector('.row:has-text("Frozen")');

    await proxy.refuse();
    proxy.dropAll();
    await page.waitForSelector('.bar:has-text("Not connected since")');
    await app.post('/webhook/alerts', { groupKey: 'b', receiver: 'r', alerts: [alert('Meanwhile')] });
    await proxy.accept();
    await page.waitForSelector('.row:has-text("Meanwhile")', { timeout: 30_000 });
    await page.waitForSelector('.link.live');

    // When no stream is free it asks instead.
    const others = await Promise.all(Array.from({ length: 50 }, () => fetch(`${app.url}/api/events`)));
    await using second = await open(app.url);
    await second.page.waitForSelector('.link.polling', { timeout: 30_000 });
    await app.post('/webhook/alerts', { groupKey: 'c', receiver: 'r', alerts: [alert('Polled')] });
    await second.page.waitForSelector('.row:has-text("Polled")', { timeout: 30_000 });
    for (const { body } of others) await body?.cancel();
  });

  it('fits 360 px, shows hostile text as text, links only to http, and needs no script for the summary [P51]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, QUICK);
    await using _proc = app.proc;
    const hostile = alert(
      HOSTILE,
      {
        generatorURL: 'javascript:window.hacked=1',
        annotations: { summary: HOSTILE.repeat(100), runbook_url: 'javascript:window.hacked=1' },
      },
      { instance: HOSTILE, [HOSTILE]: HOSTILE },
    );
    await app.post('/webhook/alerts', {
      groupKey: HOSTILE,
      receiver: HOSTILE,
      externalURL: 'javascript:alert(1)',
      alerts: [hostile],
    });
    await app.post('/webhook/alerts', { alerts: [7] });
    await using seen = await open(app.url, {
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      timezoneId: 'Asia/Kolkata',
    });
    const { page, wrong } = seen;
    await page.waitForSelector('.row');
    await page.click('.row');
    await page.waitForSelector('.detail .timeline');
    await page.click('.letterlist summary');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
    expect(await page.locator('.detail a').count()).toBe(0);
    expect((await page.content()).includes('\u202E')).toBe(false);
    expect(await page.getAttribute('.row time', 'title')).toMatch(/ UTC$/);
    expect(await page.textContent('.clockbutton')).toContain('UTC');
    expect(await violations(page)).toEqual([]);
    expect(wrong).toEqual([]);

    await using plain = await open(app.url, { javaScriptEnabled: false });
    const text = await plain.page.textContent('noscript');
    expect(text).toContain('Scripts are off');
    expect(text).toContain('accepted 2 = delivered 1 + coalesced 0 + pending 0 + dead 1');
    expect(text).toContain('Not an alert');
  });

  it('shows a phone what reached nobody before everything that only informs, how bad it is, and a replay that opens no keyboard [P102]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    slack.respond({ status: 500 });
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...QUICK });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', { groupKey: 'a', receiver: 'r', alerts: [alert('LongName'.repeat(14))] });
    await using seen = await open(app.url, { viewport: { width: 360, height: 740 }, hasTouch: true });
    const { page, wrong } = seen;
    await page.waitForSelector('.letterlist li');
    const topOf = async (selector: string): Promise<number> => (await page.locator(selector).first().boundingBox())!.y;
    expect(await topOf('#dead-letters')).toBeLessThan(740);
    for (const later of ['.chain', '.ready', '.strip']) {
      expect([later, (await topOf('#dead-letters')) < (await topOf(later))]).toEqual([later, true]);
    }
    expect(await page.locator('.letterlist .severity').isVisible()).toBe(true);
    expect(await page.textContent('.letterlist li')).toContain('1 channel failed, 1 attempt');
    expect(await page.textContent('.row .fate')).toBe('reached nobody, 1 attempt');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    // With the keyboard too: the first thing behind the verdict's numbers is what reached nobody.
    await page.focus('.term.dead');
    await page.keyboard.press('Tab');
    expect(await page.evaluate("document.activeElement.closest('#dead-letters') !== null")).toBe(true);
    await page.click('.letterlist .button');
    await page.waitForSelector('dialog');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H2');
    expect(await violations(page)).toEqual([]);
    expect(wrong).toEqual([]);
  });

  it('keeps two tabs alike: what one replays leaves the other, whose stale choice is told so [P103]', async () => {
    await using dir = await tempDir();
    await using slack = await fakeSlack();
    slack.respond({ status: 400, body: 'no' });
    const app = await startOrchestrator(dir.path, { SLACK_WEBHOOK_URL: slack.url, ...QUICK });
    await using _proc = app.proc;
    await app.post('/webhook/alerts', { groupKey: 'a', receiver: 'r', alerts: [alert('One')] });
    await using first = await open(app.url);
    const second = await first.context.newPage();
    await second.goto(app.url);
    for (const page of [first.page, second]) await page.waitForSelector('.letterlist li');
    // A tab in the background polls; bring each to the front when a person would.
    await second.bringToFront();
    await second.check('.letterlist li:nth-child(1) input');
    await first.page.bringToFront();
    slack.respond({});
    const failed = slack.requests.length;
    await first.page.click('.letterlist .button');
    await first.page.click('dialog button:has-text("Replay 1")');
    await first.page.waitForSelector('dialog >> text=1 of 1 delivered', { timeout: 20_000 });
    await first.page.keyboard.press('Escape');
    await first.page.waitForSelector('#dead-letters', { state: 'detached' });

    await second.bringToFront();
    await second.waitForSelector('.term.delivered:has-text("1")');
    await second.keyboard.press('r');
    await second.click('dialog button:has-text("Replay 1")');
    await second.waitForSelector('dialog >> text=not a dead letter any more', { timeout: 20_000 });
    await second.keyboard.press('Escape');
    await second.waitForSelector('#dead-letters', { state: 'detached' });
    expect(slack.requests.length).toBe(failed + 1);
    expect(first.wrong).toEqual([]);
  });

  it('asks for the token once, keeps a session that no script can read, and logs out [P52]', async () => {
    await using dir = await tempDir();
    const app = await startOrchestrator(dir.path, { API_TOKEN: 'let-me-in', ...QUICK });
    await using _proc = app.proc;
    await using seen = await open(app.url);
    const { page, context, wrong } = seen;
    expect(await violations(page)).toEqual([]);
    await page.fill('#token', 'wrong');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=That is not the API token');
    await page.fill('#token', 'let-me-in');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.link.live');
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    expect(cookie!.value).not.toContain('let-me-in');
    await page.click('text=Send a test alert');
    await page.waitForSelector('.row:has-text("TestAlert")');
    expect(await page.content()).not.toContain('let-me-in');
    await page.click('text=Log out');
    await page.waitForSelector('#token');
    expect(await context.cookies()).toEqual([]);
    expect(wrong).toEqual([]);
  });
});
