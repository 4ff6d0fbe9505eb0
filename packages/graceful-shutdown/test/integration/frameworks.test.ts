import 'reflect-metadata';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { Controller, Get, type INestApplication, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import express from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import { healthHandler } from '../../src/health.js';
import { createLifecycle, type HttpOptions, type Lifecycle, type ServerLike } from '../../src/index.js';

/** What the application's own slow route does, and its log. */
interface App {
  work(): Promise<string>;
  readonly log: string[];
  readonly lifecycle: Lifecycle;
}

const listen: HttpOptions['listen'] = { port: 0, host: '127.0.0.1' };

/** Each mounts the health routes and one slow route, and gives what `lifecycle.http` takes. */
const apps: Record<string, (app: App) => ServerLike | Promise<ServerLike>> = {
  'express 4': ({ work, lifecycle }) => {
    const app = express4();
    app.use(healthHandler(lifecycle));
    app.get('/slow', (_request, response, next) => {
      work().then((text) => response.send(text), next);
    });
    return createServer(app);
  },
  'express 5': ({ work, lifecycle }) => {
    const app = express();
    app.use(healthHandler(lifecycle));
    app.get('/slow', async (_request, response) => void response.send(await work()));
    return createServer(app);
  },
  'fastify 5': async ({ work, lifecycle, log }) => {
    const app = fastify();
    await app.register(healthHandler(lifecycle));
    app.get('/slow', () => work());
    app.addHook('preClose', async () => void log.push('fastify preClose'));
    app.addHook('onClose', async () => void log.push('fastify onClose'));
    return app;
  },
  'koa 3': ({ work, lifecycle }) => {
    const app = new Koa();
    app.use(healthHandler(lifecycle));
    app.use(async (context) => {
      if (context.path === '/slow') context.body = await work();
    });
    const handle = app.callback();
    return createServer((request, response) => void handle(request, response));
  },
  'hono node server': ({ work, lifecycle }) => {
    const app = new Hono();
    app.use(healthHandler(lifecycle));
    app.get('/slow', async (context) => context.text(await work()));
    return createAdaptorServer({ fetch: app.fetch }) as ServerLike;
  },
  NestJS: async ({ work, lifecycle, log }) => {
    class SlowController implements OnApplicationShutdown {
      slow(): Promise<string> {
        return work();
      }
      onModuleDestroy(): void {
        log.push('nest onModuleDestroy');
      }
      onApplicationShutdown(): void {
        log.push('nest onApplicationShutdown');
      }
    }
    const route = Object.getOwnPropertyDescriptor(SlowController.prototype, 'slow')!;
    Get('/slow')(SlowController.prototype, 'slow', route);
    Controller()(SlowController);
    class AppModule {}
    Module({ controllers: [SlowController] })(AppModule);

    // Its hooks run in `app.close()`, after the drain: enableShutdownHooks() would run them at the signal, under the requests.
    const app: INestApplication = await NestFactory.create(AppModule, { logger: false });
    app.use(healthHandler(lifecycle));
    lifecycle.add('nest', {
      start: () => app.init(),
      stop: (nest) => nest.close(),
      dependsOn: ['db'],
    });
    return app.getHttpServer() as ServerLike;
  },
};

const closing: Record<string, string[]> = {
  'fastify 5': ['fastify preClose', 'fastify onClose'],
  NestJS: ['nest onModuleDestroy', 'nest onApplicationShutdown'],
};

describe.each(Object.entries(apps))('lifecycle.http with %s', (name, make) => {
  it('[P52] answers what is in flight, then runs the close hooks of the framework, then closes the database', async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle({ keepAliveGraceMs: 100 });
    lifecycle.add('db', { start: () => 'open', stop: () => log.push('db closed') });
    const work = async (): Promise<string> => {
      await sleep(400);
      log.push('answered');
      return 'done';
    };
    const http = lifecycle.http('http', await make({ work, log, lifecycle }), { listen });
    await lifecycle.start();
    const url = `http://127.0.0.1:${(http.value as AddressInfo).port}`;
    const slow = fetch(`${url}/slow`);
    await sleep(100);
    const report = lifecycle.shutdown('SIGTERM');
    const answer = await slow;
    expect([answer.status, await answer.text(), answer.headers.get('connection')]).toEqual([200, 'done', 'close']);
    expect(await report).toMatchObject({ clean: true, exitCode: 0 });
    expect(log).toEqual(['answered', ...(closing[name] ?? []), 'db closed']);
    await expect(fetch(url)).rejects.toThrow();
  });

  it('[P53] serves the three health routes, HEAD and 405 as node does, and passes other paths on', async () => {
    const lifecycle = createLifecycle({ keepAliveGraceMs: 50, readinessDelayMs: 300 });
    lifecycle.add('db', {
      start: () => 'open',
      check: () => {
        throw new Error('lags');
      },
    });
    const app = { work: async () => 'done', log: [], lifecycle };
    const http = lifecycle.http('http', await make(app), { listen });
    await lifecycle.start();
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${(http.value as AddressInfo).port}${path}`, { method });
      const text = await response.text();
      const json = response.headers.get('content-type')?.startsWith('application/json') === true;
      return [response.status, json && text !== '' ? JSON.parse(text) : text];
    };
    expect(await ask('/livez')).toEqual([200, { status: 'ok' }]);
    expect(await ask('/readyz?verbose')).toEqual([200, { status: 'ok', state: 'ready' }]);
    expect(await ask('/health')).toMatchObject([
      200,
      { status: 'degraded', components: { db: { status: 'degraded', message: 'lags' }, http: { status: 'ok' } } },
    ]);
    expect(await ask('/livez', 'HEAD')).toEqual([200, '']);
    expect((await ask('/slow'))[1]).toBe('done');
    expect((await ask('/nowhere'))[0]).toBe(404);
    const report = lifecycle.shutdown();
    expect(await ask('/readyz')).toEqual([503, { status: 'unavailable', state: 'draining' }]);
    expect(await ask('/livez')).toEqual([200, { status: 'ok' }]);
    expect(await report).toMatchObject({ clean: true });
  });
});
