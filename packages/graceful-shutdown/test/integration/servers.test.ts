import http, { createServer } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { eventually } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { healthHandler } from '../../src/health.js';
import { createLifecycle, type LifecycleEvent } from '../../src/index.js';
import { connect, get } from '../fixtures/exchange.js';

const listen = { port: 0, host: '127.0.0.1' };

describe('http2', () => {
  it('[P39] says GOAWAY, ends the streams in flight and refuses new ones', async () => {
    const server = http2.createServer((_request, response) => setTimeout(() => response.end('ok'), 400));
    const lifecycle = createLifecycle();
    const { value } = await started(lifecycle, server);
    const client = http2.connect(`http://127.0.0.1:${value.port}`);
    const goaway = new Promise<number>((resolve) => client.once('goaway', (code) => resolve(code)));
    const statuses = Promise.all([ask(client), ask(client)]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const report = lifecycle.shutdown();
    expect(await goaway).toBe(0);
    await expect(ask(client)).rejects.toThrow();
    expect(await statuses).toEqual([200, 200]);
    expect(await report).toMatchObject({ clean: true });
    expect((await report).totalMs).toBeLessThan(3_000);
  });
});

function ask(client: http2.ClientHttp2Session): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':path': '/' });
    stream.on('response', (headers) => resolve(headers[':status']!));
    stream.on('error', reject);
    stream.resume();
  });
}

async function started(lifecycle: ReturnType<typeof createLifecycle>, server: Parameters<typeof lifecycle.http>[1]) {
  const component = lifecycle.http('http', server, { listen });
  await lifecycle.start();
  return component as { value: AddressInfo };
}

describe('a listener of its own for health', () => {
  it('[P40] is up before the first component and until after the last, and tells start, drain and trouble', async () => {
    const events: LifecycleEvent[] = [];
    let letStart = (): void => undefined;
    const lifecycle = createLifecycle({
      health: { port: 0, host: '127.0.0.1' },
      onEvent: (event) => events.push(event),
    });
    lifecycle.add('db', { start: () => new Promise<void>((resolve) => (letStart = resolve)) });
    lifecycle.add('kb', {
      dependsOn: ['db'],
      check: () => {
        throw new Error('lags');
      },
    });
    const starting = lifecycle.start();
    const port = await eventually(() => {
      for (const event of events) if (event.type === 'server.listening') return event.port;
      return undefined;
    });
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return [response.status, response.headers.get('content-type')?.includes('json') && (await response.json())];
    };
    expect(await ask('/livez')).toEqual([200, { status: 'ok' }]);
    expect(await ask('/readyz')).toEqual([503, { status: 'unavailable', state: 'starting' }]);
    letStart();
    await starting;
    expect(await ask('/readyz')).toEqual([200, { status: 'ok', state: 'ready' }]);
    expect(await ask('/health')).toMatchObject([
      200,
      { status: 'degraded', components: { db: { status: 'ok' }, kb: { status: 'degraded', message: 'lags' } } },
    ]);
    expect((await ask('/elsewhere'))[0]).toBe(404);
    await lifecycle.shutdown();
    await expect(ask('/livez')).rejects.toThrow();
  });

  it('[P40] a port that is taken fails the start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const lifecycle = createLifecycle({ health: { port, host: '127.0.0.1' } });
    await expect(lifecycle.start()).rejects.toMatchObject({ code: 'LIFECYCLE_START_FAILED', component: 'health' });
    taken.close();
  });
});

describe('http', () => {
  it('[P41] answers pipelined requests in flight all, and says close on the newest only', async () => {
    const lifecycle = createLifecycle();
    const server = createServer((request, response) => void setTimeout(() => response.end(`<${request.url}>`), 300));
    const { value } = await started(lifecycle, server);
    const client = await connect(value.port);
    client.socket.write(get('/1') + get('/2') + get('/3'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const report = await lifecycle.shutdown();
    expect(report.clean).toBe(true);
    expect(client.received.match(/<\/\d>/g)).toEqual(['</1>', '</2>', '</3>']);
    expect(client.received.match(/connection: close/gi)).toHaveLength(1);
    expect(client.received.indexOf('close')).toBeGreaterThan(client.received.indexOf('</2>'));
  });

  it('[P41] a request pipelined during the drain takes over the announcement', async () => {
    const lifecycle = createLifecycle();
    const server = createServer((request, response) => void setTimeout(() => response.end(`<${request.url}>`), 400));
    const { value } = await started(lifecycle, server);
    const client = await connect(value.port);
    client.socket.write(get('/1'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const report = lifecycle.shutdown();
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.write(get('/2'));
    expect((await report).clean).toBe(true);
    expect(client.received.match(/<\/\d>/g)).toEqual(['</1>', '</2>']);
    expect(client.received.match(/connection: close/gi)).toHaveLength(1);
  });

  it('[P42] changes nothing for requests that would upgrade on a server that does not', async () => {
    const lifecycle = createLifecycle();
    const server = createServer((_request, response) => response.end('plain'));
    const { value } = await started(lifecycle, server);
    const client = await connect(value.port);
    client.socket.write(get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'));
    await client.until('plain');
    client.socket.destroy();
    await lifecycle.shutdown();
    expect(server.listenerCount('connection')).toBe(http.createServer().listenerCount('connection'));
    expect(server.listenerCount('request')).toBe(1);
  });

  it('[P43] drops a slow head at headersTimeoutMs and a connection above maxConnections', async () => {
    const events: string[] = [];
    const lifecycle = createLifecycle({ onEvent: (event) => events.push(event.type) });
    const server = createServer((_request, response) => response.end('ok'));
    const component = lifecycle.http('http', server, { listen, headersTimeoutMs: 300, maxConnections: 1 });
    await lifecycle.start();
    const slow = await connect((component.value as AddressInfo).port);
    slow.socket.write('GET / HTTP/1.1\r\nX-Sl');
    await connect((component.value as AddressInfo).port).then(
      (second) => second.ended,
      () => undefined,
    );
    expect(events).toContain('connection.dropped');
    await slow.ended;
    expect(slow.received).toMatch(/408/);
    await lifecycle.shutdown();
  });
});

describe('healthHandler', () => {
  it('[P44] answers three paths and passes the others on, as node and fetch handler', async () => {
    const lifecycle = createLifecycle();
    const health = healthHandler(lifecycle);
    expect(health(new Request('http://x/elsewhere'))).toBeUndefined();
    expect(health(new Request('http://x/readyz'))?.status).toBe(503);
    const server = createServer((request, response) => health(request, response, () => response.end('next')));
    const { value } = await started(lifecycle, server);
    const read = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${value.port}${path}`, { method });
      return [response.status, await response.text()];
    };
    expect(await read('/readyz?verbose')).toEqual([200, '{"status":"ok","state":"ready"}\n']);
    expect(await read('/livez', 'HEAD')).toEqual([200, '']);
    expect((await read('/health', 'POST'))[0]).toBe(405);
    expect(await read('/other')).toEqual([200, 'next']);
    server.closeIdleConnections();
    await lifecycle.shutdown();
  });
});
