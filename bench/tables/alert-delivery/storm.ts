import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { growth } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';

const CHILD = fileURLToPath(new URL('storm/child.ts', import.meta.url));
const WHO = ['holdfast', 'p-retry 7 + p-timeout 7', 'cockatiel 3', 'opossum 9'];

interface Told {
  readonly peak: number;
  readonly p99: number;
  readonly accounted: number;
}

export const table: Table = {
  name: 'alert-delivery/storm',
  title: 'A storm of alerts at a provider that hangs',
  about:
    'Each runs in a process of its own. Four times a second the heap is collected and looked at; the peak is what it grew above the start. Accounted for means that the library ' +
    'can say afterwards what became of the alert, also after a restart.',
  columns: [
    { name: 'heap peak', unit: 'MB', better: 'lower' },
    { name: 'loop delay p99', unit: 'ms', better: 'lower' },
    { name: 'accounted for', unit: 'count', better: 'higher' },
  ],
  async run({ quick, dir, log }) {
    const sizes = quick ? [1000] : [1000, 10_000, 100_000];
    const rows: Row[] = [];
    const ours: { x: number; y: number }[] = [];
    let largest: Told | undefined;
    for (const size of sizes) {
      for (const who of WHO) {
        const child = fork(CHILD, [who, String(size), join(dir, `${who.length}-${size}`)], {
          execArgv: ['--expose-gc', '--import', 'tsx'],
        });
        const [told] = (await once(child, 'message')) as [Told];
        if (child.exitCode === null) await once(child, 'exit');
        const mb = told.peak / 2 ** 20;
        log(`${who}, ${size}: ${mb.toFixed(1)} MB`);
        if (who === 'holdfast') {
          ours.push({ x: size, y: mb });
          largest = told;
        }
        rows.push({
          who,
          kind: who === 'holdfast' ? 'ours' : 'peer',
          size: `${size} alerts`,
          cells: {
            'heap peak': Number(mb.toFixed(1)),
            'loop delay p99': Number(told.p99.toFixed(1)),
            'accounted for': who === 'holdfast' ? told.accounted : 'no',
          },
        });
      }
    }
    const peak = largest!.peak / 2 ** 20;
    const all = sizes.at(-1)!;
    return {
      rows,
      growth: ours.length > 1 ? [growth('heap peak of holdfast', ours)] : [],
      notes: [
        'The peers send everything at once, which is what code around them does; a queue in front of them would be bounded by that queue.',
      ],
      targets: [
        { claim: `heap below 30 MB over base at ${all} alerts`, measured: `${peak.toFixed(1)} MB`, met: peak < 30 },
        {
          claim: 'event loop delay p99 below 50 ms',
          measured: `${largest!.p99.toFixed(1)} ms`,
          met: largest!.p99 < 50,
        },
        { claim: 'every alert accounted for', measured: String(largest!.accounted), met: largest!.accounted === all },
      ],
    };
  },
};
