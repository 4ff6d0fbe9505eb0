import http, { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually, runNode } from '@holdfast/testkit';
import express from 'express';
import { describe, expect, it } from 'vitest';
import * as onExpress from '../../src/express.js';
import type { LifecycleEvent } from '../../src/index.js';
import type { RequestDeadlineOptions } from '../../src/node.js';
import * as onNode from '../../src/node.js';
import { deadlineConformance } from '../../src/testing.js';
import { connect, get } from '../fixtures/exchange.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;
type Make = (options: RequestDeadlineOptions, handler: Handler) => Promise<{ port: number; close(): void }>;

async function listen(server: Server): Promise<{ port: number; close(): void }> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const frameworks: Record<string, Make> = {
  node: (options, handler) => {
    const deadline = onNode.requestDeadline(options);
    return listen(
      createServer((request, response) => deadline(request, response, () => void handler(request, response))),
    );
  },
  'express 5': (options, handler) => {
    const app = express();
    app.use(onExpress.requestDeadline(options));
    app.use((request, response) => handler(request, response) as never);
    return listen(createServer(app));
  },
};

async function serverProcess(framework: string, options: RequestDeadlineOptions, mode: string) {
  const file = new URL('../fixtures/deadline-server.ts', import.meta.url);
  const proc = runNode(file, { ipc: true, args: [framework, JSON.stringify(options), mode] });
  const { port } = await proc.nextMessage<{ port: number }>((message) => 'port' in message, 30_000);
  return { port, [Symbol.asyncDispose]: () => proc.kill() };
}

/** Sends a head and half of a body, then goes on sending for ever. */
const clients: Record<string, (port: number) => Promise<number>> = {
  async 'raw socket'(port) {
    const client = await connect(port);
    client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n');
    const chunk = Buffer.alloc(64 * 1024);
    // One write a turn: on loopback a write may always succeed at once, and a loop around it would never yield.
    const blast = (): void => {
      if (client.socket.writable) client.socket.write(chunk, (error) => void (error ?? setImmediate(blast)));
    };
    blast();
    await client.until('\r\n\r\n');
    client.socket.destroy();
    return Number(client.received.slice(9, 12));
  },
  'node:http'(port) {
    return new Promise((resolve, reject) => {
      const request = http.request({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': 1e9 } });
      const chunk = Buffer.alloc(64 * 1024);
      const blast = (): void => {
        if (!request.destroyed) request.write(chunk, (error) => void (error ?? setImmediate(blast)));
      };
      request.on('response', (response) => {
        resolve(response.statusCode!);
        request.destroy();
      });
      request.on('error', reject);
      blast();
    });
  },
  async fetch(port) {
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        controller.enqueue(Buffer.alloc(16 * 1024));
      },
    });
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' } as RequestInit);
    return response.status;
  },
};

const never: Handler = () => new Promise(() => undefined);
const readAll: Handler = async (request, response) => {
  try {
    for await (const _chunk of request);
  } catch {
    response.writeHead(400);
    response.end('the body broke off');
  }
};

describe.each(Object.entries(frameworks))('requestDeadline on %s', (_name, make) => {
  it.each(Object.entries(clients))(
    '[P32] its answers are received 20 of 20 while the client is still sending: %s',
    async (_client, run) => {
      const framework = _name === 'node' ? 'node' : 'express';
      await using tooSlow = await serverProcess(framework, { handlerMs: 5_000, bodyMs: 150 }, 'read');
      await using slowHandler = await serverProcess(framework, { handlerMs: 150 }, 'never');
      // A few at a time: as many as there are, they slow each other down and hide what is lost.
      for (let round = 0; round < 5; round++) {
        const tries = Array.from({ length: 4 });
        expect(await Promise.all(tries.map(() => run(tooSlow.port)))).toEqual(tries.map(() => 408));
        expect(await Promise.all(tries.map(() => run(slowHandler.port)))).toEqual(tries.map(() => 503));
      }
    },
  );

  it('[P33] answers a slow handler 503 with Retry-After, aborts its signal and drops its late answer', async () => {
    const events: LifecycleEvent[] = [];
    const overruns: unknown[] = [];
    let reason: unknown;
    const server = await make(
      { handlerMs: 100, onEvent: (event) => events.push(event), onOverrun: (overrun) => overruns.push(overrun) },
      async (request, response) => {
        await new Promise((resolve) => onNode.deadlineSignal(request).addEventListener('abort', resolve));
        reason = onNode.deadlineSignal(request).reason;
        response.statusCode = 201;
        response.setHeader('x-late', 'yes');
        response.write('late');
        response.end('late');
      },
    );
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/a?token=secret`);
      expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('x-late')]).toEqual([
        503,
        '1',
        null,
      ]);
      expect(await answer.json()).toMatchObject({ error: { code: 'REQUEST_TIMEOUT' } });
      expect(reason).toMatchObject({ code: 'LIFECYCLE_DEADLINE_EXCEEDED', deadline: 'handler', timeoutMs: 100 });
      await eventually(() => events.length === 2);
      expect(events).toContainEqual(expect.objectContaining({ type: 'deadline.exceeded', path: '/a', status: 503 }));
      expect(events).toContainEqual(expect.objectContaining({ type: 'deadline.answer_dropped', status: 201 }));
      expect(overruns).toHaveLength(1);
    } finally {
      server.close();
    }
  });

  it('[P34] never rewrites an answer that has begun: only the signal aborts', async () => {
    const server = await make({ handlerMs: 100 }, async (request, response) => {
      response.write('begun ');
      await new Promise((resolve) => onNode.deadlineSignal(request).addEventListener('abort', resolve));
      response.end('and ended');
    });
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/`);
      expect([answer.status, await answer.text()]).toEqual([200, 'begun and ended']);
    } finally {
      server.close();
    }
  });

  it('[P35] a handler that answers in time, or fails after its time, changes nothing for the next request', async () => {
    const server = await make({ handlerMs: 150, bodyMs: 100 }, async (request, response) => {
      if (request.url !== '/slow') return response.end('ok');
      await new Promise((resolve) => onNode.deadlineSignal(request).addEventListener('abort', resolve));
      // Everyday code after an abort: an error handler that answers.
      response.writeHead(500, { 'content-type': 'text/plain' });
      return response.end('failed');
    });
    try {
      const client = await connect(server.port);
      client.socket.write(get('/slow'));
      await client.until('503 Service');
      client.socket.write(get('/'));
      await client.until(/ok$/);
      expect(client.received).not.toContain('failed');
      client.socket.destroy();
    } finally {
      server.close();
    }
  });

  it('[P36] uses bodyStatus, and blames the handler, not the client, for a body that nobody reads', async () => {
    const server = await make({ handlerMs: 5_000, bodyMs: 100, bodyStatus: 503 }, readAll);
    const unread = await make({ handlerMs: 700, bodyMs: 100 }, never);
    try {
      expect(await clients['raw socket']!(server.port)).toBe(503);
      const began = performance.now();
      expect(await clients['raw socket']!(unread.port)).toBe(503);
      expect(performance.now() - began).toBeGreaterThan(600);
    } finally {
      server.close();
      unread.close();
    }
  });
});

describe.each(Object.entries(frameworks))('deadlineConformance on %s', (_name, make) => {
  for (const { name, run } of deadlineConformance)
    it(`[P45] ${name}`, async () => {
      await run(async (options, handler) => {
        const { port, close } = await make(options, handler);
        return { url: `http://127.0.0.1:${port}/`, close };
      });
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
    const server = await listen(
      createServer((request, response) => {
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
      }),
    );
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/`);
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
    }
  });
});
