import type net from 'node:net';
import { refuse } from './options.js';
import type { Http2Server, HttpServer } from './supervisor.js';

/** A fastify app, as far as this package uses it. */
export interface FastifyApp {
  readonly server: HttpServer | Http2Server;
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
  inject: unknown;
}

/** What `lifecycle.http` takes. */
export type ServerLike = HttpServer | Http2Server | FastifyApp;

/** What was given, told apart by shape: servers and apps of another copy or realm are no `instanceof` ours. */
export type ServerKind =
  | { readonly kind: 'http'; readonly server: HttpServer; readonly app?: FastifyApp }
  | { readonly kind: 'http2'; readonly server: Http2Server; readonly app?: FastifyApp };

/** @throws LifecycleError `LIFECYCLE_INVALID_OPTION` for anything that is no server. */
export function serverKind(given: unknown): ServerKind {
  if (isFastify(given)) return { ...serverKind(given.server), app: given } as ServerKind;
  if (!isNetServer(given)) {
    const hint = typeof given === 'function' ? ': give http.createServer(app), not the app' : '';
    refuse('server', `must be a server of node:http, https or http2, or a fastify app${hint}`, describe(given));
  }
  return 'updateSettings' in given
    ? { kind: 'http2', server: given as unknown as Http2Server }
    : { kind: 'http', server: given as HttpServer };
}

function isFastify(given: unknown): given is FastifyApp {
  const app = given as Partial<FastifyApp> | null;
  return (
    typeof app === 'object' &&
    app !== null &&
    typeof app.ready === 'function' &&
    'inject' in app &&
    isNetServer(app.server)
  );
}

function isNetServer(given: unknown): given is net.Server {
  const server = given as Partial<net.Server> | null;
  return (
    typeof server === 'object' &&
    server !== null &&
    typeof server.listen === 'function' &&
    typeof server.prependListener === 'function' &&
    typeof server.listening === 'boolean'
  );
}

function describe(given: unknown): string {
  return typeof given === 'object' && given !== null ? `an object of ${given.constructor?.name}` : typeof given;
}
