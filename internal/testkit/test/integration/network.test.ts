import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { eventually, fakeSendGrid, fakeSlack, tcpProxy } from '../../src/index.js';

const post = (url: string, body = '{"text":"hi"}', signal?: AbortSignal): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' }, signal: signal ?? null });

describe('fakeSlack', () => {
  it('plays its script, one reply a request, then answers as Slack does', async () => {
    await using slack = await fakeSlack();
    slack.respond([
      { status: 429, headers: { 'retry-after': '3' } },
      { status: 500, body: 'broken' },
    ]);
    const limited = await post(slack.url);
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '3']);
    expect(await (await post(slack.url)).text()).toBe('broken');
    expect(await (await post(slack.url)).text()).toBe('ok');
    expect((await slack.waitForRequests(3)).map((request) => request.body)).toEqual(Array(3).fill('{"text":"hi"}'));
    expect(slack.requests[0]).toMatchObject({ method: 'POST', path: '/services/T000/B000/testtesttest' });
  });

  it('resets with or without having received, and hangs', async () => {
    await using slack = await fakeSlack();
    slack.respond({ reset: 'before' });
    await expect(post(slack.url)).rejects.toThrow('fetch failed');
    expect(slack.requests).toHaveLength(0);
    slack.respond({ reset: 'after-request' });
    await expect(post(slack.url)).rejects.toThrow('fetch failed');
    expect(slack.requests).toHaveLength(1);
    slack.respond((_, n) => (n === 3 ? { hang: true } : {}));
    await expect(post(slack.url, '{}', AbortSignal.timeout(200))).rejects.toThrow();
    expect((await post(slack.url)).status).toBe(200);
  });
});

describe('fakeSendGrid', () => {
  it('answers 202 with a message id', async () => {
    await using sendGrid = await fakeSendGrid();
    const response = await post(`${sendGrid.url}/v3/mail/send`);
    expect([response.status, response.headers.get('x-message-id')]).toEqual([202, 'fake-1']);
  });
});

describe('tcpProxy', () => {
  it('lets the request through and cuts the reply', async () => {
    await using slack = await fakeSlack();
    await using proxy = await tcpProxy(slack.port);
    const url = `http://127.0.0.1:${proxy.port}/x`;
    proxy.cutNextReply();
    await expect(post(url)).rejects.toThrow('fetch failed');
    expect([slack.requests.length, proxy.cuts]).toEqual([1, 1]);
    expect((await post(url)).status).toBe(200);
    proxy.cutNextReply(1, (sent) => sent.includes('poison'));
    expect((await post(url)).status).toBe(200);
    await expect(post(url, '"poison"')).rejects.toThrow('fetch failed');
  });

  it('stalls and resumes, refuses and accepts, drops', async () => {
    await using slack = await fakeSlack();
    await using proxy = await tcpProxy(slack.port);
    const url = `http://127.0.0.1:${proxy.port}/x`;
    proxy.stall();
    await expect(post(url, '{}', AbortSignal.timeout(200))).rejects.toThrow();
    const late = post(url);
    proxy.resume();
    expect((await late).status).toBe(200);

    proxy.dropAll();
    await eventually(() => proxy.connections === 0);
    const socket = connect(proxy.port, '127.0.0.1');
    const ended = new Promise<string | undefined>((resolve) =>
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)).on('end', () => resolve('end')),
    );
    await eventually(() => proxy.connections === 1);
    await proxy.refuse();
    proxy.dropAll();
    expect(await ended).toBe('ECONNRESET');
    const refused: unknown = await post(url).catch((error: Error) => (error.cause as NodeJS.ErrnoException).code);
    expect(refused).toBe('ECONNREFUSED');
    await proxy.accept();
    expect((await post(url)).status).toBe(200);
  });
});
