import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row, Table } from '../../runner/table.ts';

const CHILD = fileURLToPath(new URL('crash-loss/child.ts', import.meta.url));
const WHO = ['holdfast', 'p-retry 7 + p-timeout 7', 'cockatiel 3', 'opossum 9', 'notifme-sdk 1'];

export const table: Table = {
  name: 'alert-delivery/crash-loss',
  title: 'Alerts that are gone after kill -9',
  about:
    'A process accepts an alert about every millisecond and sends each in 20 ms, until it is killed. Then it is started again, as a supervisor would. Lost is, ' +
    'by id, what was acknowledged and was never sent, before the kill or after. A peer acknowledges nothing: there it is what its caller handed over.',
  columns: [
    { name: 'acknowledged', unit: 'count', better: 'none' },
    { name: 'lost', unit: 'count', better: 'lower' },
    { name: 'sent twice', unit: 'count', better: 'lower' },
  ],
  async run({ quick, dir, log }) {
    const kills = quick ? 1 : 5;
    const rows: Row[] = [];
    let lostByUs = 0;
    for (const who of WHO) {
      const acknowledged = new Set<string>();
      const sent = new Map<string, number>();
      for (let kill = 0; kill < kills; kill += 1) {
        const folder = join(dir, `${who.length}-${kill}`);
        read(await life([who, folder, `k${kill}`], 200 + kill * 37), acknowledged, sent);
        read(await life([who, folder, `k${kill}`, 'finish'], undefined), acknowledged, sent);
      }
      const lost = [...acknowledged].filter((id) => !sent.has(id)).length;
      const twice = [...sent.values()].filter((times) => times > 1).length;
      if (who === 'holdfast') lostByUs = lost;
      log(`${who}: ${lost} of ${acknowledged.size} lost`);
      rows.push({
        who,
        kind: who === 'holdfast' ? 'ours' : 'peer',
        size: `${kills} kills`,
        cells: { acknowledged: acknowledged.size, lost, 'sent twice': twice },
      });
    }
    return {
      rows,
      notes: ['What holdfast sends twice was in flight at the kill, and is marked as a possible repeat.'],
      targets: [{ claim: '0 acknowledged alerts lost', measured: String(lostByUs), met: lostByUs === 0 }],
    };
  },
};

/** Runs the child to its end, or kills it once it has acknowledged that many. */
async function life(args: readonly string[], killAfter: number | undefined): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (killAfter !== undefined && out.includes(`-${killAfter}\n`)) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return out;
}

function read(text: string, acknowledged: Set<string>, sent: Map<string, number>): void {
  for (const [, word, id] of text.matchAll(/^(acked|sent) (\S+)\n/gm)) {
    if (word === 'acked') acknowledged.add(id!);
    else sent.set(id!, (sent.get(id!) ?? 0) + 1);
  }
}
