import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Delivery, fileStore, openDelivery, type StoreDriver } from '@holdfast/alert-delivery';
import { memoryStore } from '@holdfast/alert-delivery/testing';
import { interleave, spread } from '../../runner/statistics.ts';
import type { Row, Spread, Table } from '../../runner/table.ts';
import { peers, type Send } from './overhead/peers.ts';

const IN_FLIGHT = 100;
const SERVER = fileURLToPath(new URL('overhead/server.ts', import.meta.url));

/** Runs `one` that many times, 100 at a time, and returns the CPU of this process for each, in microseconds. */
async function cpuEach(count: number, one: (n: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await one(n);
  };
  globalThis.gc?.();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

let ids = 0;
const alert = (n: number): { id: string; title: string; severity: 'error'; body: string } => ({
  id: `bench-${ids++}`,
  title: `disk ${n % 50} is full`,
  severity: 'error',
  body: 'on db-3, since ten minutes',
});

export const table: Table = {
  name: 'alert-delivery/overhead',
  title: 'What an alert costs beside its sending',
  about:
    'CPU time of the sending process for one delivered alert, 100 in flight. First around a send that does nothing, which leaves the policy alone; then ' +
    'around a post by fetch to a server in a process of its own. Each peer is set up as its README says, with 2 retries, a breaker where it has ' +
    'one, and a timeout of 10 s. In rounds that take turns.',
  columns: [{ name: 'CPU per alert', unit: 'µs', better: 'lower' }],
  async run({ quick, dir, log }) {
    const server = fork(SERVER, { execArgv: ['--import', 'tsx'] });
    const [{ port }] = (await once(server, 'message')) as [{ port: number }];
    const post: Send = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{"text":"disk is full"}' });
      await response.text();
    };
    const nothing: Send = async () => undefined;
    const memoryDir = await mkdtemp(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'holdfast-bench-'));
    const stores: Record<string, () => StoreDriver> = {
      'holdfast, in memory': () => memoryStore(),
      'holdfast, journal written': () => fileStore({ dir: join(memoryDir, String(ids++)) }),
      'holdfast, journal with fdatasync': () => fileStore({ dir: join(dir, String(ids++)) }),
    };
    const rows: Row[] = [];
    const medians = new Map<string, number>();
    const opened: Delivery[] = [];
    try {
      for (const [size, send, count] of [
        ['no transport', nothing, quick ? 2500 : 6000],
        ['loopback HTTP', post, quick ? 200 : 1000],
      ] as const) {
        const cases: Record<string, () => Promise<number>> = {};
        for (const peer of peers) {
          const one = peer.make(send);
          cases[peer.who] = () => cpuEach(count, one);
        }
        for (const [who, store] of Object.entries(stores)) {
          const channel = { name: 'bench', send: async () => await send() };
          const delivery = await openDelivery({ chain: [{ channel, concurrency: IN_FLIGHT }], store: store() });
          opened.push(delivery);
          cases[who] = () => cpuEach(count, (n) => delivery.notify(alert(n)));
        }
        const figures: Record<string, Spread> = await interleave(cases, {
          rounds: quick ? 2 : 5,
          // The compiler needs some thousand alerts before it knows the whole path.
          warmUp: 3,
          onRound: (round) => log(`${size}: round ${round + 1}`),
        });
        for (const [who, figure] of Object.entries(figures)) {
          const kind = who.startsWith('holdfast') ? 'ours' : (peers.find((peer) => peer.who === who)?.kind ?? 'peer');
          rows.push({ who, kind, size, cells: { 'CPU per alert': figure } });
          // The least of the rounds: what other programs on the machine add is never negative.
          medians.set(`${who} ${size}`, figure.min);
        }
      }
      const dead = await deadFirst(quick ? 200 : 1000);
      const raw = medians.get('p-retry 7 + p-timeout 7 no transport')!;
      const ratio = (who: string): number => medians.get(`${who} no transport`)! / raw;
      const policy = ratio('holdfast, in memory');
      const http = (who: string): number => medians.get(`${who} loopback HTTP`)!;
      const posted = http('holdfast, journal with fdatasync') / http('p-retry 7 + p-timeout 7');
      const synced = ratio('holdfast, journal with fdatasync');
      return {
        rows,
        notes: [
          `"Journal written" is the file store on a file system in memory, where fdatasync costs nothing: the package has no mode without fdatasync.`,
          `A first channel whose breaker is open adds ${dead.median.toFixed(3)} ms to an alert (median; ${dead.min.toFixed(3)} to ${dead.max.toFixed(3)}).`,
          'What the policy costs without a transport is spread out: a profile of the warm path says that about a quarter of an alert is garbage collection (16 kB an alert). ' +
            'The largest part that has a name is the JSON of what history keeps of each alert.',
          'No peer keeps an alert when the process dies, escalates, gates a channel, or says afterwards what became of an alert: see crash-loss.',
        ],
        targets: [
          {
            claim: 'policy at most 1.8 times p-retry + p-timeout',
            measured: `${policy.toFixed(2)} times`,
            met: policy <= 1.8,
          },
          { claim: 'with fdatasync at most 3 times', measured: `${synced.toFixed(2)} times`, met: synced <= 3 },
          {
            claim: 'with fdatasync, around a post, at most 1.8 times',
            measured: `${posted.toFixed(2)} times`,
            met: posted <= 1.8,
          },
          {
            claim: 'a dead first channel costs less than 1 ms',
            measured: `${dead.median.toFixed(3)} ms`,
            met: dead.median < 1,
          },
        ],
      };
    } finally {
      await Promise.all(opened.map((delivery) => delivery.close()));
      await rm(memoryDir, { recursive: true, force: true });
      server.disconnect();
    }
  },
};

/** How much longer an alert takes when the first channel's breaker is open, in milliseconds. */
async function deadFirst(count: number): Promise<Spread> {
  const broken = { name: 'dead', send: () => Promise.reject(new Error('down')) };
  const works = { name: 'works', send: async () => undefined };
  const both = await openDelivery({
    chain: [{ channel: broken, retries: 0, breaker: { failures: 1, openMs: 600_000 } }, { channel: works }],
    store: memoryStore(),
  });
  const one = await openDelivery({ chain: [{ channel: works }], store: memoryStore() });
  await both.notify(alert(0));
  const timed = async (delivery: Delivery): Promise<number> => {
    const begun = performance.now();
    await delivery.notify(alert(0));
    return performance.now() - begun;
  };
  const extra: number[] = [];
  for (let n = 0; n < count; n += 1) extra.push(-(await timed(one)) + (await timed(both)));
  await both.close();
  await one.close();
  return spread(extra);
}
