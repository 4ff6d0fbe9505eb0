import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createIdempotency, memoryStore } from '@holdfast/idempotency';
import { idempotent as onExpress } from '@holdfast/idempotency/express';
import { idempotent as onFastify } from '@holdfast/idempotency/fastify';
import { idempotent as onNode } from '@holdfast/idempotency/node';
import express from 'express';
import fastify from 'fastify';

/** One server in a process of its own; it is asked for its processor time before and after. */
const idempotency = () => createIdempotency({ store: memoryStore({ maxEntries: 200_000 }) });
const answer = { id: 'r_123', status: 'paid', amount: 4_200 };

const SERVERS: Record<string, () => Promise<RequestListener> | RequestListener> = {
  'express bare': () => express().post('/work', express.json(), (_q, r) => void r.json(answer)) as RequestListener,
  'express holdfast': () =>
    express().post(
      '/work',
      express.json(),
      onExpress(idempotency()),
      (_q, r) => void r.json(answer),
    ) as RequestListener,
  'express express-idempotency': () => {
    const peer = createRequire(import.meta.url)('express-idempotency') as {
      idempotency(): express.RequestHandler;
      getSharedIdempotencyService(): { isHit(request: unknown): boolean };
    };
    return express().post('/work', express.json(), peer.idempotency(), (q, r) => {
      if (!peer.getSharedIdempotencyService().isHit(q)) r.json(answer);
    }) as RequestListener;
  },
  'fastify bare': () => fastifyApp(false),
  'fastify holdfast': () => fastifyApp(true),
  'node:http bare': () => (request, response) => {
    request.resume();
    respond(response);
  },
  'node:http holdfast': () => {
    const guard = onNode(idempotency());
    return (request, response) => {
      request.resume();
      void guard(request, response, () => respond(response));
    };
  },
};

function respond(response: Parameters<RequestListener>[1]): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
}

async function fastifyApp(guarded: boolean): Promise<RequestListener> {
  const app = fastify();
  if (guarded) await app.register(onFastify(idempotency()));
  app.post('/work', async () => answer);
  await app.ready();
  return (request, response) => app.routing(request, response);
}

const server = createServer(await SERVERS[process.argv[2]!]!()).listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => process.send!(process.cpuUsage()));
process.send!({ port: (server.address() as AddressInfo).port });
process.on('SIGINT', () => process.exit(0));
