import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { peers } from '../overhead/peers.ts';

/** Sends that many alerts at a provider that hangs for 300 ms, and tells the peak of the heap and the delay of the loop. */
const [who = '', count = '1000', dir = ''] = process.argv.slice(2);
const alerts = Number(count);
const HANG_MS = 300;
const hang = (): Promise<void> =>
  new Promise((_, reject) => void setTimeout(() => reject(new Error('timed out')), HANG_MS));
globalThis.gc?.();
const base = process.memoryUsage().heapUsed;
let peak = 0;
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();
// What is garbage is not counted; the time that collecting it takes is not counted either.
const look = setInterval(() => {
  loop.disable();
  globalThis.gc?.();
  peak = Math.max(peak, process.memoryUsage().heapUsed - base);
  loop.enable();
}, 250);
let accounted = 0;
const body = 'x'.repeat(200);
if (who === 'holdfast') {
  const channel = { name: 'a', send: () => new Promise<void>(() => undefined) };
  const delivery = await openDelivery({
    chain: [{ channel, retries: 0, timeoutMs: HANG_MS }],
    store: fileStore({ dir }),
  });
  let next = 0;
  const client = async (): Promise<void> => {
    for (let n = next++; n < alerts; n = next++)
      await delivery.accept({ id: `a-${n}`, title: `disk ${n % 500} is full`, severity: 'error', body });
  };
  await Promise.all(Array.from({ length: 500 }, client));
  await delivery.flush();
  const { delivered, coalesced, dead, evicted } = delivery.stats();
  accounted = delivered + coalesced + dead + evicted;
  await delivery.close();
} else {
  const one = peers.find((peer) => peer.who === who)!.make(hang);
  const kept: unknown[] = [];
  await Promise.all(
    Array.from({ length: alerts }, (_, n) => {
      const alert = { id: `a-${n}`, title: `disk ${n % 500} is full`, body };
      kept.push(alert);
      return one().catch(() => undefined);
    }),
  );
}
clearInterval(look);
process.send?.({ peak, p99: loop.percentile(99) / 1e6, accounted });
process.disconnect?.();
