import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNode } from '@holdfast/testkit';
import type { Row, Table, Target } from '../../runner/table.ts';
import { peers, sqliteMissing } from './peers/peers.ts';

export const table: Table = {
  name: 'persistent-kb/lost-writes',
  title: 'Acknowledged writes lost to kill -9',
  about:
    'A process of its own puts entries, 16 at once, and prints each acknowledgement; it is killed at a random moment, and another process reads what ' +
    'is there. Every acknowledged entry that is missing then is lost. A killed process leaves the kernel its writes: a power cut would lose more.',
  columns: [
    { name: 'kills', unit: 'count', better: 'none' },
    { name: 'acknowledged', unit: 'count', better: 'none' },
    { name: 'lost', unit: 'count', better: 'lower' },
    { name: 'reopened', unit: 'count', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const rows: Row[] = [];
    const targets: Target[] = [];
    const child = fileURLToPath(new URL('lost-writes/child.ts', import.meta.url));
    const env = { TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)) };
    for (const { who, kind } of peers) {
      const kills = quick ? 1 : 4;
      const acked = new Set<string>();
      const lost = new Set<string>();
      let reopened = 0;
      for (let kill = 0; kill < kills; kill++) {
        const home = join(dir, `${who.replaceAll(/\W+/g, '-')}-${kill}`);
        await mkdir(home);
        const mine = new Set<string>();
        {
          await using writer = runNode(child, { args: ['write', who, home], env });
          await writer.waitFor('acked', 60_000);
          await new Promise((resolve) => setTimeout(resolve, 250 + Math.random() * 250));
          await writer.kill();
          for (const [, id] of writer.stdout.matchAll(/^acked (\S+)\n/gm)) mine.add(id!);
        }
        await using reader = runNode(child, { args: ['read', who, home], env, ipc: true });
        const read = await reader.nextMessage<{ found: string[] }>(undefined, 60_000).catch(() => undefined);
        if (read) reopened++;
        const found = new Set(read?.found);
        for (const id of mine) {
          acked.add(id);
          if (!found.has(id)) lost.add(id);
        }
      }
      rows.push({ who, kind, cells: { kills, acknowledged: acked.size, lost: lost.size, reopened } });
      log(`${who}: ${lost.size} of ${acked.size} lost`);
      if (kind === 'ours')
        targets.push({
          claim: 'nothing acknowledged is lost',
          measured: `${lost.size} of ${acked.size}`,
          met: lost.size === 0,
        });
    }
    if (sqliteMissing)
      rows.push({
        who: 'node:sqlite',
        kind: 'peer',
        cells: { kills: sqliteMissing, acknowledged: '-', lost: '-', reopened: '-' },
      });
    return {
      rows,
      targets,
      notes: [
        'nedb appends without a sync: after kill -9 the kernel still has its lines, after a power cut it has not.',
      ],
    };
  },
};
