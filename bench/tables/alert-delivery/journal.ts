import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStore, openDelivery } from '@holdfast/alert-delivery';
import { growth, quantile } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';

const SIZES = [1, 10, 100, 1000];

export const table: Table = {
  name: 'alert-delivery/journal',
  title: 'How many alerts share one fdatasync',
  about:
    'Alerts are accepted with 1 to 1,000 callers waiting; each is acknowledged once it is synced. Counted are the fdatasync calls of the process, those ' +
    'for attempts and ends included, and the time that a caller waits.',
  columns: [
    { name: 'alerts per fdatasync', unit: 'count', better: 'higher' },
    { name: 'accept p50', unit: 'ms', better: 'lower' },
    { name: 'accept p99', unit: 'ms', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const counter = await countSyncs(join(dir, 'probe'));
    const rows: Row[] = [];
    const points: { x: number; y: number }[] = [];
    for (const callers of SIZES) {
      const alerts = Math.min(quick ? 2000 : 10_000, callers * (quick ? 50 : 300));
      const channel = { name: 'a', send: async () => undefined };
      const delivery = await openDelivery({
        chain: [{ channel, concurrency: 1000 }],
        store: fileStore({ dir: join(dir, `c${callers}`) }),
      });
      const waits: number[] = [];
      const before = counter.calls;
      let next = 0;
      const caller = async (): Promise<void> => {
        for (let n = next++; n < alerts; n = next++) {
          const begun = performance.now();
          await delivery.accept({ id: `a-${n}`, title: 'disk is full', severity: 'error' });
          waits.push(performance.now() - begun);
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
      await delivery.flush();
      const perSync = alerts / Math.max(1, counter.calls - before);
      await delivery.close();
      waits.sort((a, b) => a - b);
      log(`${callers} callers: ${perSync.toFixed(1)} alerts per fdatasync`);
      points.push({ x: callers, y: perSync });
      rows.push({
        who: 'holdfast',
        kind: 'ours',
        size: `${callers} waiting`,
        cells: {
          'alerts per fdatasync': Number(perSync.toFixed(2)),
          'accept p50': Number(quantile(waits, 0.5).toFixed(2)),
          'accept p99': Number(quantile(waits, 0.99).toFixed(2)),
        },
      });
    }
    counter.restore();
    const at100 = points.find(({ x }) => x === 100)!.y;
    return {
      rows,
      growth: [growth('alerts per fdatasync', points)],
      notes: ['An alert is synced three times in its life: accepted, begun, ended. None of the peers writes anything.'],
      targets: [
        { claim: 'at least 10 alerts per fdatasync with 100 waiting', measured: at100.toFixed(1), met: at100 >= 10 },
      ],
    };
  },
};

/** Counts the fdatasync calls of this process. */
async function countSyncs(path: string): Promise<{ calls: number; restore(): void }> {
  const handle = await open(path, 'w');
  const prototype = Object.getPrototypeOf(handle) as { datasync(): Promise<void> };
  await handle.close();
  const { datasync } = prototype;
  const counter = {
    calls: 0,
    restore: () => {
      prototype.datasync = datasync;
    },
  };
  prototype.datasync = function counted(this: unknown) {
    counter.calls += 1;
    return datasync.call(this);
  };
  return counter;
}
