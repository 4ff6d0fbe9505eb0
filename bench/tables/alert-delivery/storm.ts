import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { growth } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';

const CHILD = fileURLToPath(new URL('storm/child.ts', import.meta.url));
/** A peer that has not ended by then has nothing in its row but that. */
const PATIENCE_S = 20;
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
        const patience = who === 'holdfast' ? undefined : setTimeout(() => child.kill('SIGKILL'), PATIENCE_S * 1_000);
        const told = await toldBy(child);
        clearTimeout(patience);
        if (told === undefined) {
          if (who === 'holdfast') throw new Error('holdfast told nothing');
          log(`${who}, ${size}: not done within ${PATIENCE_S} s`);
          const cells = {
            'heap peak': `not done within ${PATIENCE_S} s`,
            'loop delay p99': '-',
            'accounted for': 'no',
          };
          rows.push({ who, kind: 'peer', size: sizeOf(size), cells });
          continue;
        }
        const mb = told.peak / 2 ** 20;
        log(`${who}, ${size}: ${mb.toFixed(1)} MB`);
        if (who === 'holdfast') {
          ours.push({ x: size, y: mb });
          largest = told;
        }
        rows.push({
          who,
          kind: who === 'holdfast' ? 'ours' : 'peer',
          size: sizeOf(size),
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

const sizeOf = (alerts: number): string => `${alerts.toLocaleString('en')} alerts`;

/** What a child told before it ended, undefined if that was nothing. */
async function toldBy(child: ChildProcess): Promise<Told | undefined> {
  let told: Told | undefined;
  child.on('message', (message) => {
    told = message as Told;
  });
  await once(child, 'exit');
  return told;
}
