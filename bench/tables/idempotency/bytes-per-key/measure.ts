import { holdfast, lruCache, nodeIdempotency, type Peer, powertools } from '../peers/peers.ts';

/** Fills a store with `keys` small answers in a process of its own and prints what the heap grew by. */
const PEERS: Record<string, Peer> = { holdfast, lruCache, nodeIdempotency, powertools };
const [, , name, count, room = count] = process.argv;
const keys = Number(count);
const used = (): number => {
  for (let at = 0; at < 4; at++) globalThis.gc!();
  return process.memoryUsage().heapUsed;
};
// Code and shapes first, on a store that is dropped.
const warm = PEERS[name!]!.make(2_000);
for (let at = 0; at < 2_000; at++) await warm.run(`warm ${at}`, async () => 'v');
const before = used();
const { run } = PEERS[name!]!.make(Number(room));
const flat: number[] = [];
for (let at = 0; at < keys; at++) {
  await run(`order ${at}`, async () => `receipt ${at}`);
  if (at % Math.ceil(keys / 4) === 0 && at > 0) flat.push(used() - before);
}
const bytes = used() - before;
await run('order 0', async () => 'still there'); // what is not used any more would be collected before it is counted
process.stdout.write(JSON.stringify({ bytes, flat }));
process.exit(0);
