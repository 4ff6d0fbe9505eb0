import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Row, Table } from '../../runner/table.ts';

const REWRITER = fileURLToPath(new URL('torn-writes/rewriter.mjs', import.meta.url));
const SIZE = 2 ** 20;

const CONTENDERS: { who: string; kind: Row['kind'] }[] = [
  { who: 'holdfast writeFileAtomic', kind: 'ours' },
  { who: 'write-file-atomic 7.0.1', kind: 'peer' },
  { who: 'atomically 2.1.1', kind: 'peer' },
  { who: 'steno 4.0.2', kind: 'peer' },
  { who: 'fs.writeFile', kind: 'floor' },
];

interface Tally {
  torn: number;
  tornReads: number;
  reads: number;
  kills: number;
}

export const table: Table = {
  name: 'file-lock/torn-writes',
  title: 'What a killed writer and a full disk leave',
  about:
    'A process rewrites a file of 1 MiB in a loop and is killed with SIGKILL 1 to 40 ms after its first write; a reader reads meanwhile. A file or a read is ' +
    'torn when it is not one version whole. Litter is what lies beside the file after a last writer has started and written. Then, on a disk of 3 MiB ' +
    'that holds 1 MiB, it writes 4 MiB.',
  columns: [
    { name: 'torn files', unit: '%', better: 'lower' },
    { name: 'torn reads', unit: '%', better: 'lower' },
    { name: 'litter', unit: 'count', better: 'lower' },
    { name: 'full disk', unit: 'outcome', better: 'none' },
    { name: 'kills', unit: 'count', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const kills = quick ? 4 : 40;
    const tallies = new Map<string, Tally>(
      CONTENDERS.map(({ who }) => [who, { torn: 0, tornReads: 0, reads: 0, kills: 0 }]),
    );
    const placeOf = (who: string): string => join(dir, who.replace(/\W+/g, '-'));
    for (const { who } of CONTENDERS) mkdirSync(placeOf(who));
    for (let n = 0; n < kills; n += 1)
      for (const { who } of CONTENDERS) await killOne(who, join(placeOf(who), 'f'), tallies.get(who)!);
    log('kills done');
    const rows: Row[] = [];
    for (const { who, kind } of CONTENDERS) {
      const { torn, tornReads, reads } = tallies.get(who)!;
      // The next writer comes, writes and goes in peace.
      spawnSync(process.execPath, [REWRITER, who, join(placeOf(who), 'f'), '10', 'once']);
      const cells = {
        'torn files': percent(torn, kills),
        'torn reads': percent(tornReads, reads),
        litter: readdirSync(placeOf(who)).length - 1,
        'full disk': fullDisk(who, placeOf(who)),
        kills,
      };
      rows.push({ who, kind, cells });
    }
    const ours = rows[0]!.cells;
    return {
      rows,
      targets: [
        {
          claim: 'no torn file, no torn read, no litter',
          measured: `${String(ours['torn files'])} %, ${String(ours['torn reads'])} %, ${String(ours.litter)} files`,
          met: ours['torn files'] === 0 && ours['torn reads'] === 0 && ours.litter === 0,
        },
      ],
      notes: [
        'All that write beside the file and rename are safe from a kill; what differs is the litter, and what happens when a write comes back short: a writer that does not look renames the part into place and the old content is gone.',
        'Only ours also syncs the directory, without which the rename may not survive a power cut; steno syncs nothing.',
      ],
    };
  },
};

async function killOne(who: string, file: string, tally: Tally): Promise<void> {
  const writer = spawn(process.execPath, [REWRITER, who, file, String(SIZE)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(writer.stdout, 'data');
  let writing = true;
  const reader = (async () => {
    while (writing) {
      tally.reads += 1;
      if (!(await isWhole(file))) tally.tornReads += 1;
    }
  })();
  await pause(1 + Math.random() * 39);
  const gone = once(writer, 'exit');
  writer.kill('SIGKILL');
  await gone;
  writing = false;
  await reader;
  tally.kills += 1;
  if (!(await isWhole(file))) tally.torn += 1;
}

async function isWhole(file: string): Promise<boolean> {
  const bytes = await readFile(file);
  return bytes.length === SIZE && bytes.equals(Buffer.alloc(SIZE, bytes[0]));
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1_000) / 10;
}

/** Mounts a small disk that only the script's own processes see. */
function fullDisk(who: string, place: string): string {
  const node = (size: number): string => `'${process.execPath}' '${REWRITER}' '${who}' '${place}/f' ${size} once`;
  const script = `mount -t tmpfs -o size=3m none '${place}' && ${node(SIZE)} && ${node(4 * SIZE)}; wc -c < '${place}/f'`;
  const { stdout } = spawnSync('unshare', ['-Urm', 'sh', '-c', script], { encoding: 'utf8' });
  const [first, second, bytes] = stdout.trim().split('\n');
  if (first !== 'resolved' || second === undefined) return 'not measured: no mount here';
  const left = Number(bytes);
  return `${second}, ${left === SIZE ? 'old file whole' : `${left} bytes of ${4 * SIZE} left`}`;
}
