import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { LifecycleError, reasonOf } from './errors.js';
import type { LifecycleEvent } from './events.js';
import { type HealthSource, healthAnswer } from './health-routes.js';

/**
 * Opens the listener of `health: { port, host }`. It answers while everything else starts, drains and stops. Returns how to
 * close it; its clients are probes, nobody waits for them.
 *
 * @throws LifecycleError `LIFECYCLE_START_FAILED` when the port can't be had.
 */
export async function openHealthListener(
  source: HealthSource,
  { port, host }: { port: number; host: string },
  emit: (event: LifecycleEvent) => void,
): Promise<() => Promise<void>> {
  const server = http.createServer((request, response) => {
    const answer = healthAnswer(source, request.method ?? '', (request.url ?? '').split('?', 1)[0]!);
    response.writeHead(answer?.status ?? 404, answer?.headers ?? {});
    response.end(request.method === 'HEAD' ? undefined : answer?.body);
    request.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new LifecycleError('LIFECYCLE_START_FAILED', `the health listener failed to start: ${reasonOf(cause)}`, {
          component: 'health',
          cause,
        }),
      ),
    );
    server.listen({ port, host }, resolve);
  });
  const address = server.address() as AddressInfo;
  emit({ type: 'server.listening', component: 'health', address: address.address, port: address.port });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
