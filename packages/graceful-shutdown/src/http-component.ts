import type { AddressInfo, ListenOptions, Server } from 'node:net';
import type { Declared } from './components.js';
import { needsOf } from './dependency-graph.js';
import type { LifecycleEvent } from './events.js';
import { superviseHttp } from './http-supervisor.js';
import { superviseHttp2 } from './http2-supervisor.js';
import { DEFAULTS, duration, type ResolvedLifecycleOptions, refuse } from './options.js';
import { type ServerLike, serverKind } from './server-kind.js';
import type { Supervisor } from './supervisor.js';

/** How a server listens and what it puts up with. Times are milliseconds. */
export interface HttpOptions {
  /** `server.listen`'s options. Without it the server must already listen when the lifecycle starts. */
  listen?: ListenOptions | undefined;
  /** @defaultValue everything added before this server */
  dependsOn?: readonly string[] | undefined;
  /** How long a client may take to send a request's head. @defaultValue 10_000 */
  headersTimeoutMs?: number | undefined;
  /** How long an idle connection is kept for its next request. @defaultValue 5_000 */
  keepAliveTimeoutMs?: number | undefined;
  /** A reader that takes nothing of its answer for so long is cut off. @defaultValue 30_000 */
  writeStallMs?: number | undefined;
  /** More connections than this are dropped at once. @defaultValue 10_000 */
  maxConnections?: number | undefined;
}

/** A server with what watches its connections. */
export interface ManagedServer {
  readonly name: string;
  readonly supervisor: Supervisor;
}

/** Turns a server into a component that listens last and is drained first. */
export function declareHttp(
  name: string,
  given: ServerLike,
  options: HttpOptions,
  settings: ResolvedLifecycleOptions,
  components: readonly Declared[],
  emit: (event: LifecycleEvent) => void,
): { declared: Declared; managed: ManagedServer } {
  const { listen } = options;
  if (listen !== undefined && (typeof listen !== 'object' || listen === null))
    refuse(`listen of '${name}'`, "must be server.listen's options", listen);
  const limits = {
    headersTimeoutMs: duration(`headersTimeoutMs of '${name}'`, options.headersTimeoutMs, DEFAULTS.headersTimeoutMs),
    writeStallMs: duration(`writeStallMs of '${name}'`, options.writeStallMs, DEFAULTS.writeStallMs),
  };
  const keepAlive = duration(
    `keepAliveTimeoutMs of '${name}'`,
    options.keepAliveTimeoutMs,
    DEFAULTS.keepAliveTimeoutMs,
  );
  const maxConnections = options.maxConnections ?? DEFAULTS.maxConnections;
  if (!Number.isInteger(maxConnections) || maxConnections < 1)
    refuse(`maxConnections of '${name}'`, 'must be an integer >= 1', maxConnections);

  const target = serverKind(given);
  const server: Server = target.server;
  server.maxConnections = maxConnections;
  if (target.kind === 'http') {
    if (options.keepAliveTimeoutMs !== undefined) target.server.keepAliveTimeout = keepAlive;
    target.server.headersTimeout = limits.headersTimeoutMs;
  }
  const supervisor =
    target.kind === 'http'
      ? superviseHttp(name, target.server, limits, settings.clock, emit)
      : superviseHttp2(name, target.server, limits, settings.clock, emit);

  const declared: Declared = {
    name,
    dependsOn: options.dependsOn ?? independentOf(name, components),
    startTimeoutMs: settings.startTimeoutMs,
    stopTimeoutMs: settings.stopTimeoutMs,
    async start({ signal }) {
      await target.app?.ready();
      signal.throwIfAborted();
      const address = await listening(name, server, listen, signal);
      emit({ type: 'server.listening', component: name, address: address.address, port: address.port });
      return address;
    },
    async stop() {
      // Drained before: this closes what a start that failed half-way has opened, and runs fastify's own close hooks.
      if (server.listening) server.close();
      await target.app?.close();
    },
    check: undefined,
    state: 'added',
    value: undefined,
  };
  return { declared, managed: { name, supervisor } };
}

/** Everything added so far, but for what itself waits for this server. */
function independentOf(name: string, components: readonly Declared[]): string[] {
  return components.filter((each) => !needsOf(components, each.name).has(name)).map((each) => each.name);
}

function listening(
  name: string,
  server: Server,
  listen: ListenOptions | undefined,
  signal: AbortSignal,
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      server.removeListener('error', onError);
      const address = server.address();
      resolve(
        typeof address === 'string' || address === null ? { address: address ?? '', family: 'unix', port: 0 } : address,
      );
    };
    const onError = (error: Error): void => {
      server.removeListener('listening', done);
      reject(error);
    };
    if (server.listening) return done();
    if (listen === undefined)
      return reject(
        new Error(`the server '${name}' does not listen: give { listen: { port } } or call listen() before start()`),
      );
    server.once('error', onError);
    server.once('listening', done);
    server.listen({ ...listen, signal: listen.signal ?? undefined } as ListenOptions);
    signal.addEventListener('abort', () => onError(signal.reason as Error), { once: true });
  });
}
