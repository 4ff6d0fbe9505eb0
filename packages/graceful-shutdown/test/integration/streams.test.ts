import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createLifecycle, type LifecycleEvent } from '../../src/index.js';

const listen = { port: 0, host: '127.0.0.1' };
const pem = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
const identity = { key: pem('key'), cert: pem('cert') };

describe('WebSockets of the ws package', () => {
  it('[P28] are told by the signal, and closed with 1001 where the handler does not', async () => {
    const events: LifecycleEvent[] = [];
    const lifecycle = createLifecycle({ onEvent: (event) => events.push(event) });
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, request) => {
      if (request.url === '/deaf') return;
      lifecycle.signal.addEventListener('abort', () => {
        socket.send('goodbye');
        socket.close(1012, 'restart');
      });
    });
    const http = lifecycle.http('http', server, { listen });
    await lifecycle.start();
    const url = `ws://127.0.0.1:${(http.value as AddressInfo).port}`;
    const open = async (path: string) => {
      const client = new WebSocket(url + path);
      const heard: string[] = [];
      client.on('message', (data) => heard.push(String(data)));
      const closed = new Promise<number>((resolve) => client.once('close', resolve));
      await new Promise((resolve) => client.once('open', resolve));
      return { closed, heard };
    };
    const polite = await open('/polite');
    const deaf = await open('/deaf');
    const report = lifecycle.shutdown();
    expect([await polite.closed, polite.heard]).toEqual([1012, ['goodbye']]);
    expect([await deaf.closed, deaf.heard]).toEqual([1001, []]);
    expect(await report).toMatchObject({ clean: true, servers: { http: { toldGoodbye: 1 } } });
    expect(events).toContainEqual({ type: 'stream.told_goodbye', component: 'http', kind: 'websocket' });
  });
});

describe('https', () => {
  it('[P55] drains as http does: in flight answered with close, idle kept for its promise, silent peers ended', async () => {
    const server = https.createServer(identity, (request, response) => {
      void sleep(request.url === '/slow' ? 400 : 0).then(() => response.end('ok'));
    });
    const lifecycle = createLifecycle({ keepAliveGraceMs: 700 });
    const component = lifecycle.http('https', server, { listen });
    await lifecycle.start();
    const { port } = component.value;
    const connectTls = async () => {
      const socket = tls.connect({ port, host: '127.0.0.1', ca: identity.cert });
      let received = '';
      socket.on('data', (chunk) => {
        received += String(chunk);
      });
      const ended = new Promise<boolean>((resolve) => socket.once('close', resolve));
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      return { socket, ended, received: () => received };
    };
    const busy = await connectTls();
    busy.socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    const idle = await connectTls();
    idle.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const shaken = await connectTls();
    const silent = net.connect(port, '127.0.0.1');
    const silentEnded = new Promise((resolve) => silent.once('close', resolve));
    silent.resume();
    await sleep(150);
    const report = await lifecycle.shutdown();
    expect(report).toMatchObject({ clean: true });
    expect(await Promise.all([busy.ended, idle.ended, shaken.ended])).toEqual([false, false, false]);
    await silentEnded;
    expect(busy.received()).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*ok/i);
    expect(idle.received()).toMatch(/200 OK/);
    expect(report.totalMs).toBeLessThan(4_000);
  });

  it('[P55] http2 over TLS that also speaks HTTP/1 drains both', async () => {
    const server = http2.createSecureServer({ ...identity, allowHTTP1: true }, (_request, response) => {
      void sleep(400).then(() => response.end('ok'));
    });
    const lifecycle = createLifecycle();
    lifecycle.http('h2', server, { listen });
    await lifecycle.start();
    const { port } = server.address() as AddressInfo;
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: identity.cert });
    const stream = session.request({ ':path': '/' });
    const status = new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
    stream.resume();
    const goaway = new Promise((resolve) => session.once('goaway', resolve));
    const plain = new Promise<string>((resolve, reject) => {
      https
        .get({ port, host: '127.0.0.1', ca: identity.cert, agent: false }, (response) => {
          resolve(`${response.httpVersion} ${response.statusCode} ${response.headers.connection}`);
          response.resume();
        })
        .on('error', reject);
    });
    await sleep(150);
    const report = await lifecycle.shutdown();
    expect([await status, await plain, await goaway]).toEqual([200, '1.1 200 close', 0]);
    expect(report).toMatchObject({ clean: true });
  });
});
