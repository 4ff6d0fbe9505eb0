import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HealthSource, healthAnswer } from './health-routes.js';

export type { ComponentHealth, Health } from './health-report.js';
export type { HealthSource } from './health-routes.js';

/** The part of a koa context that is used. */
export interface KoaLikeContext {
  req: IncomingMessage;
  res: ServerResponse;
  method: string;
  path: string;
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
}

/** The part of a hono context that is used. */
export interface HonoLikeContext {
  req: { raw: Request };
}

/** The part of a fastify instance that is used. */
export interface FastifyLikeInstance {
  route(options: {
    method: ('GET' | 'HEAD')[];
    url: string;
    exposeHeadRoute?: boolean;
    handler: (request: { raw: IncomingMessage }, reply: FastifyLikeReply) => unknown;
  }): unknown;
}

/** The part of a fastify reply that is used. */
export interface FastifyLikeReply {
  code(status: number): FastifyLikeReply;
  headers(headers: Record<string, string>): FastifyLikeReply;
  send(body: string): unknown;
}

/** One function for every framework: it knows by what it is given who calls it. */
export interface HealthHandler {
  /** express and node:http middleware. Without `next`, other paths are answered 404. */
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void;
  /** koa middleware. */
  (context: KoaLikeContext, next: () => Promise<unknown>): Promise<void>;
  /** hono middleware. */
  (context: HonoLikeContext, next: () => Promise<void>): Promise<Response | undefined>;
  /** fastify plugin, for `app.register`. */
  (app: FastifyLikeInstance, options: unknown, done: (error?: Error) => void): void;
  /** A fetch handler: `undefined` for other paths. */
  (request: Request): Response | undefined;
}

/**
 * Serves `/livez`, `/readyz` and `/health` of a lifecycle: liveness is 200 as long as the process answers, readiness 503
 * unless everything has started and nothing is being shut down, `/health` 200 with every component, `ok` or `degraded`.
 *
 * It is middleware for express (`app.use`), koa (`app.use`), hono (`app.use`) and node:http, a plugin for fastify
 * (`app.register`), and a fetch handler. On the main server the routes live while it listens; `health: { port }` of
 * `createLifecycle` gives them a listener of their own.
 *
 * @example
 * app.use(healthHandler(lifecycle));
 */
export function healthHandler(source: HealthSource): HealthHandler {
  // Three parameters: express counts four as an error handler, fastify calls `done` for three.
  const handler = (first: unknown, second?: unknown, third?: unknown): unknown => {
    if (isFetchRequest(first)) return fetchAnswer(source, first);
    if (isFastify(first)) return registerRoutes(source, first, third as (error?: Error) => void);
    if (isHono(first)) return fetchAnswer(source, first.req.raw) ?? (second as () => Promise<void>)();
    if (isKoa(first)) return koaAnswer(source, first, second as () => Promise<unknown>);
    return nodeAnswer(source, first as IncomingMessage, second as ServerResponse, third as (() => void) | undefined);
  };
  return handler as HealthHandler;
}

function nodeAnswer(source: HealthSource, request: IncomingMessage, response: ServerResponse, next?: () => void): void {
  const answer = healthAnswer(source, request.method ?? '', (request.url ?? '').split('?', 1)[0]!);
  if (!answer && next) {
    next();
    return;
  }
  response.writeHead(answer?.status ?? 404, answer?.headers ?? { 'content-length': '0' });
  response.end(request.method === 'HEAD' ? undefined : answer?.body);
}

function fetchAnswer(source: HealthSource, request: Request): Response | undefined {
  const answer = healthAnswer(source, request.method, new URL(request.url).pathname);
  return answer && new Response(request.method === 'HEAD' ? null : answer.body, answer);
}

async function koaAnswer(source: HealthSource, context: KoaLikeContext, next: () => Promise<unknown>): Promise<void> {
  const answer = healthAnswer(source, context.method, context.path);
  if (!answer) return void (await next());
  context.status = answer.status;
  context.set({ ...answer.headers });
  context.body = answer.body;
}

function registerRoutes(source: HealthSource, app: FastifyLikeInstance, done: (error?: Error) => void): void {
  for (const url of ['/livez', '/readyz', '/health'])
    app.route({
      method: ['GET', 'HEAD'],
      url,
      exposeHeadRoute: false,
      handler: (request, reply) => {
        const answer = healthAnswer(source, request.raw.method ?? 'GET', url)!;
        return reply
          .code(answer.status)
          .headers({ ...answer.headers })
          .send(answer.body);
      },
    });
  done();
}

const has = (value: unknown, key: string): boolean => typeof value === 'object' && value !== null && key in value;
const isFetchRequest = (value: unknown): value is Request =>
  has(value, 'arrayBuffer') && has(value, 'url') && !has(value, 'socket');
const isFastify = (value: unknown): value is FastifyLikeInstance => has(value, 'route') && has(value, 'addHook');
const isHono = (value: unknown): value is HonoLikeContext =>
  has(value, 'req') && has((value as HonoLikeContext).req, 'raw');
const isKoa = (value: unknown): value is KoaLikeContext =>
  has(value, 'req') && has(value, 'res') && has(value, 'app') && has(value, 'path');
