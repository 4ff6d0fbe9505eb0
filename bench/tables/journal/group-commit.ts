import { join } from 'node:path';
import { openJournal } from '@holdfast/journal';
import { spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { appendBy, recordOf } from './append/contenders.ts';

const WRITERS = [1, 4, 16, 64, 256];

export const table: Table = {
  name: 'journal/group-commit',
  title: 'Appends per fdatasync',
  about:
    'How many concurrent appends share one fdatasync, counted by the journal itself, and the ' +
    'rate that comes of it. The ceiling is the number of writers: each waits for its append before the next.',
  columns: [
    { name: 'appends per fdatasync', unit: 'count', better: 'higher' },
    { name: 'appends', unit: 'ops/s', better: 'higher' },
  ],
  async run({ quick, dir }) {
    const rows: Row[] = [];
    let at64 = 0;
    for (const writers of WRITERS) {
      const shared: number[] = [];
      const rates: number[] = [];
      for (let round = 0; round < (quick ? 3 : 7); round++) {
        const journal = await openJournal<{ id: string }>({
          dir: join(dir, `${writers}-${round}`),
          apply: () => undefined,
          snapshot: () => [],
        });
        const { perSecond } = await appendBy(writers, quick ? 40 : 150, (n) => journal.append(recordOf(n)));
        const { appends, syncs } = journal.stats();
        shared.push(appends / syncs);
        rates.push(perSecond);
        await journal.close();
      }
      const size = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
      const cells = { 'appends per fdatasync': spread(shared), appends: spread(rates) };
      rows.push({ who: 'holdfast', kind: 'ours', size, cells });
      rows.push({
        who: 'ceiling',
        kind: 'floor',
        size,
        cells: { 'appends per fdatasync': writers, appends: '-' },
      });
      if (writers === 64) at64 = spread(shared).min;
    }
    return {
      rows,
      targets: [
        {
          claim: 'with 64 writers at least 20 appends per fdatasync',
          measured: `${at64.toFixed(1)} in the worst round`,
          met: at64 >= 20,
        },
      ],
    };
  },
};
