import type { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { requestDeadline as honoDeadline } from '../../src/hono.js';
import * as onNode from '../../src/node.js';
import { type DeadlineHandler, deadlineConformance } from '../../src/testing.js';
import { blastingClients } from '../fixtures/blasting-clients.js';
import { countingClock } from '../fixtures/counting-clock.js';
import { connect, get } from '../fixtures/exchange.js';
import { frameworks } from '../fixtures/frameworks.js';

const never: DeadlineHandler = () => new Promise(() => undefined);
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe.each(Object.entries(frameworks))('requestDeadline on %s', (_name, make) => {
  for (const { name, run } of deadlineConformance) it(`[P45] ${name}`, () => run(make));

  it('[P33] aborts the signal with the deadline and its time, and tells onOverrun once', async () => {
    const overruns: unknown[] = [];
    let reason: unknown;
    const server = await make(
      { handlerMs: 100, onOverrun: (overrun) => overruns.push(overrun) },
      async ({ signal }) => {
        await untilAborted(signal);
        reason = signal.reason;
        return { body: 'late' };
      },
    );
    try {
      expect((await fetch(`${server.url}a?token=secret`)).status).toBe(503);
      await eventually(() => reason !== undefined);
      expect(reason).toMatchObject({ code: 'LIFECYCLE_DEADLINE_EXCEEDED', deadline: 'handler', timeoutMs: 100 });
      expect(overruns).toEqual([
        { deadline: 'handler', method: 'GET', path: '/a', status: 503, elapsedMs: expect.any(Number) },
      ]);
    } finally {
      await server.close();
    }
  });

  it('[P34] never rewrites an answer that has begun: one head on the wire, only the signal aborts', async () => {
    const server = await make({ handlerMs: 100 }, async ({ signal }) => ({
      body: (async function* parts() {
        yield 'begun';
        await untilAborted(signal);
        yield 'ended';
      })(),
    }));
    try {
      const client = await connect(server.port);
      client.socket.write(get('/', 'Connection: close\r\n'));
      expect(await client.ended).toBe('end');
      expect(client.received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
      expect(client.received).toMatch(/begun[\s\S]*ended/);
    } finally {
      await server.close();
    }
  });

  it('[P35] the connection serves the next request after a late one, whose handler failed', async () => {
    const server = await make({ handlerMs: 150, bodyMs: 100 }, async ({ path, signal }) => {
      if (path !== '/slow') return { body: 'ok' };
      await untilAborted(signal);
      throw new Error('failed late');
    });
    try {
      const client = await connect(server.port);
      client.socket.write(get('/slow'));
      await client.until('503 Service');
      client.socket.write(get('/'));
      await client.until(/200 OK[\s\S]*ok(\r\n0\r\n\r\n)?$/);
      expect(client.received).not.toContain('failed');
      client.socket.destroy();
    } finally {
      await server.close();
    }
  });

  it('[P36] uses bodyStatus, and blames the handler, not the client, for a body that nobody reads', async () => {
    const server = await make({ handlerMs: 5_000, bodyMs: 100, bodyStatus: 503 }, async ({ read }) => ({
      body: String(await read()),
    }));
    const unread = await make({ handlerMs: 700, bodyMs: 100 }, never);
    try {
      expect(await blastingClients['raw socket']!(server.port)).toBe(503);
      const began = performance.now();
      expect(await blastingClients['raw socket']!(unread.port)).toBe(503);
      expect(performance.now() - began).toBeGreaterThan(600);
    } finally {
      await server.close();
      await unread.close();
    }
  });

  it('[P46] fires on time, however rarely the server itself checks its connections', async () => {
    const server = await make({ handlerMs: 300 }, never, (it) => {
      (it as unknown as { connectionsCheckingInterval: number }).connectionsCheckingInterval = 3_600_000;
    });
    try {
      const began = performance.now();
      const answer = await fetch(server.url);
      const ms = performance.now() - began;
      expect(answer.status).toBe(503);
      expect(ms).toBeGreaterThanOrEqual(298);
      // node's own requestTimeout would be looked at every 30 s at its default, here every hour.
      expect(ms).toBeLessThan(2_300);
    } finally {
      await server.close();
    }
  });

  it('[P47] leaves no timer and no listener behind, whether the answer was in time or not', async () => {
    const clock = countingClock();
    const sockets: EventEmitter[] = [];
    const server = await make(
      { handlerMs: 400, bodyMs: 300, clock },
      async ({ path, read, signal }) => {
        if (path === '/late') await untilAborted(signal);
        return { body: `<${await read()}>` };
      },
      (it) => it.on('connection', (socket) => sockets.push(socket)),
    );
    try {
      const client = await connect(server.port);
      const exchange = async (path: string, answer: string): Promise<number[]> => {
        const asked = client.received.split(answer).length;
        client.socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`);
        await eventually(() => client.received.split(answer).length === asked + 1);
        await eventually(() => clock.waiting <= 1);
        return [listenersOf(server.server), ...sockets.map(listenersOf)];
      };
      const afterOne = await exchange('/', '<3>');
      for (let n = 0; n < 5; n++) expect(await exchange('/', '<3>')).toEqual(afterOne);
      expect(await exchange('/late', '503 Service')).toEqual(afterOne);
      expect(await exchange('/', '<3>')).toEqual(afterOne);
      // The one timer of the deadline, whoever waits: it ends by itself when nobody does.
      await eventually(() => clock.waiting === 0);
      expect(clock.scheduled).toBeGreaterThanOrEqual(1);
      client.socket.destroy();
    } finally {
      await server.close();
    }
  });
});

function listenersOf(emitter: EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}

describe('requestDeadline on hono', () => {
  it('[P48] refuses an app that is not served by @hono/node-server, naming what is missing', () => {
    const deadline = honoDeadline({ handlerMs: 100 });
    expect(() => deadline({ env: {} }, async () => undefined)).toThrow('@hono/node-server');
  });
});

describe('200 clients that drip their bodies', () => {
  it('[P56] are answered 408 each, and a normal client is served beside them', async () => {
    const server = await frameworks['express 5']!({ handlerMs: 10_000, bodyMs: 1_000 }, async ({ read }) => ({
      body: `<${await read()}>`,
    }));
    const slow = await Promise.all(Array.from({ length: 200 }, () => connect(server.port)));
    try {
      for (const { socket } of slow) socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx');
      const normal = await connect(server.port);
      for (let n = 1; n <= 20; n++) {
        for (const { socket } of slow) if (socket.writable) socket.write('x');
        const began = performance.now();
        normal.socket.write(get('/'));
        await eventually(() => normal.received.split('<0>').length === n + 1);
        // What a bare server takes is measured in bench/; here only that nobody waits for the slow.
        expect(performance.now() - began).toBeLessThan(2_000);
      }
      await Promise.all(slow.map((client) => client.until('408 Request Timeout')));
      normal.socket.destroy();
    } finally {
      for (const { socket } of slow) socket.destroy();
      await server.close();
    }
  });
});

describe('a client that goes away', () => {
  it('[P57] is owed no answer and no event', async () => {
    const events: string[] = [];
    let arrived = 0;
    const deadline = onNode.requestDeadline({ handlerMs: 150, onEvent: (event) => events.push(event.type) });
    const server = createServer((request, response) => deadline(request, response, () => arrived++));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const gone = await connect(port);
    gone.socket.write(get('/gone'));
    await eventually(() => arrived === 1);
    gone.socket.destroy();
    const stays = await connect(port);
    stays.socket.write(get('/stays'));
    await stays.until('503 Service');
    expect(events).toEqual(['deadline.exceeded']);
    stays.socket.destroy();
    server.close();
    server.closeAllConnections();
  });
});

describe('deadlineSignal', () => {
  it('[P37] throws where no deadline is mounted', () => {
    expect(() => onNode.deadlineSignal({} as IncomingMessage)).toThrow(
      expect.objectContaining({ code: 'LIFECYCLE_NO_DEADLINE' }),
    );
  });
});

describe('requestDeadline outside of a middleware that records answers', () => {
  it('[P38] shows it the late answer as the handler gave it, and sends none of it', async () => {
    const deadline = onNode.requestDeadline({ handlerMs: 100 });
    const recorded: unknown[] = [];
    const logged: number[] = [];
    const server = createServer((request, response) => {
      response.on('finish', () => logged.push(response.statusCode));
      response.setHeader('x-policy', 'kept');
      deadline(request, response, () => {
        const { end } = response;
        response.end = function recordingEnd(this: ServerResponse, ...args: unknown[]) {
          recorded.push([response.statusCode, response.getHeaders(), args[0]]);
          return (end as (...given: unknown[]) => ServerResponse).apply(response, args);
        } as typeof response.end;
        onNode.deadlineSignal(request).addEventListener('abort', () => {
          setTimeout(() => {
            response.setHeader('Content-Type', 'application/json');
            response.end('{"done":true}');
          }, 50);
        });
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    try {
      const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect([answer.status, answer.headers.get('x-policy')]).toEqual([503, 'kept']);
      await eventually(() => recorded.length === 1);
      expect(recorded[0]).toMatchObject([
        200,
        { 'content-type': 'application/json', 'x-policy': 'kept' },
        '{"done":true}',
      ]);
      expect(logged).toEqual([503]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
