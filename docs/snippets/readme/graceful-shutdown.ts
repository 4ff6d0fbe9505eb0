/** What the README's code takes as given; and, once it is ready, the signal that ends it. */
import { subscribe } from 'node:diagnostics_channel';

Object.assign(globalThis, {
  openDatabase: async () => ({ read: async () => ({ ok: true }), assertHealthy() {}, close: async () => {} }),
});
subscribe('holdfast.graceful-shutdown', (message) => {
  const event = message as { type: string; to?: string };
  if (event.type === 'lifecycle.state_changed' && event.to === 'ready') process.kill(process.pid, 'SIGTERM');
});
