import type { HttpServer } from './supervisor.js';

/** Events that nobody else needs to listen to. */
const ALWAYS = new Set(['connection', 'drop']);

/**
 * Listens to `event` in front of the server's own listeners for as long as it has any: http behaves differently when there
 * is none. Returns how to stop.
 */
export function follow(server: HttpServer, event: string, listener: () => void): () => void {
  const onNew = (name: string, added: unknown): void => {
    if (name === event && added !== listener && !server.listeners(event).includes(listener))
      server.prependListener(event, listener);
  };
  const onRemoved = (name: string): void => {
    const left = name === event && !ALWAYS.has(event) ? server.listeners(event) : [];
    if (left.length === 1 && left[0] === listener) server.removeListener(event, listener);
  };
  if (ALWAYS.has(event) || server.listenerCount(event) > 0) server.prependListener(event, listener);
  server.on('newListener', onNew);
  server.on('removeListener', onRemoved);
  return () => {
    server.removeListener('newListener', onNew);
    server.removeListener('removeListener', onRemoved);
    server.removeListener(event, listener);
  };
}
