import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runNode } from '@holdfast/testkit';
import { spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { peers, sqliteMissing } from './peers/peers.ts';

const CASES: readonly { who: string; label: string; kind: 'ours' | 'peer' | 'floor' }[] = [
  { who: 'text', label: 'holdfast: entries, revisions, tags, text index', kind: 'ours' },
  { who: 'map', label: 'a Map of the entries', kind: 'floor' },
  { who: 'minisearch', label: 'minisearch alone, without the entries', kind: 'peer' },
  ...peers
    .filter(({ kind }) => kind === 'peer')
    .map(({ who }) => ({
      who,
      label: /level|lmdb|sqlite/.test(who) ? `${who}, loaded into a Map` : who,
      kind: 'peer' as const,
    })),
];

export const table: Table = {
  name: 'persistent-kb/memory',
  title: 'Memory for each entry',
  about:
    'A process of its own loads entries of about 600 bytes of JSON and collects garbage; what its heap and buffers have grown by, for each entry. ' +
    'The text index holds 63 words an entry.',
  columns: [
    { name: 'heap per entry', unit: 'bytes', better: 'lower' },
    { name: 'resident', unit: 'MB', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const rows: Row[] = [];
    const child = fileURLToPath(new URL('memory/child.ts', import.meta.url));
    const ask = async <M>(args: string[]): Promise<M> => {
      const env = { TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)) };
      await using proc = runNode(child, { args, env, ipc: true, nodeArgs: ['--expose-gc'] });
      return await proc.nextMessage<M>(undefined, 240_000);
    };
    for (const count of quick ? [2_000] : [10_000, 50_000]) {
      const home = `${dir}/${count}`;
      await mkdir(home);
      await ask(['fill', home, String(count)]);
      log(`${count} entries written`);
      const size = `${count.toLocaleString('en')} entries`;
      for (const { who, label, kind } of CASES) {
        const { bytes, rss } = await ask<{ bytes: number; rss: number }>([who, home, String(count)]);
        rows.push({
          who: label,
          kind,
          size,
          cells: { 'heap per entry': spread([bytes / count]), resident: Math.round(rss / 2 ** 20) },
        });
      }
      if (sqliteMissing)
        rows.push({
          who: 'node:sqlite',
          kind: 'peer',
          size,
          cells: { 'heap per entry': sqliteMissing, resident: '-' },
        });
    }
    return {
      rows,
      notes: [
        'lmdb, classic-level and node:sqlite can answer from disk without a Map; then they hold a cache of their own instead.',
      ],
    };
  },
};
